"""The model as it is judged: its spec with the fetched documents beside those inside it. Pure.

A member gets an AttestedModel either way, and verifies every document in it itself; where one was
kept says nothing about what it proves.
"""

from typing import Any

from quorate.api.v1alpha1.document_source import SourceField
from quorate_operator.sources.gathered import Gathered

Json = dict[str, Any]
_TARGETS = {
    SourceField.SIGNATURES: ("signatures", "bundle"),
    SourceField.EVIDENCE: ("evidence", "envelope"),
}
_DIGITS = 40
"""Hexadecimal digits of a digest in the name of an entry."""


def complete(declared: Json, gathered: Gathered | None) -> Json:
    """Identity and spec of a model, with what its sources hold, and which of them were read.

    A model without sources is returned as it is.
    """
    if gathered is None or not gathered.states:
        return declared
    spec = dict(declared["spec"])
    for field, (target, member) in _TARGETS.items():
        entries = list(spec.get(target) or [])
        texts = {entry[member] for entry in entries}
        taken = {entry["name"] for entry in entries}
        for state in gathered.states:
            for document in state.documents if state.field is field else ():
                if document.text in texts:
                    continue
                name = _name(document.digest, taken)
                texts.add(document.text)
                taken.add(name)
                entries.append({"name": name, member: document.text})
        if entries:
            spec[target] = entries
    read = [
        {
            "field": state.field.value,
            "name": state.source.name,
            "status": "Unknown" if state.unread else "True",
            "reason": "Relayed",
        }
        for state in gathered.states
    ]
    return {**declared, "spec": spec, "status": {"sources": read}}


def _name(digest: str, taken: set[str]) -> str:
    """A name for an entry that no other has: whoever wrote the spec must not displace it."""
    name = f"fetched-{digest.removeprefix('sha256:')[:_DIGITS]}"
    while name in taken:
        name += "-x"
    return name
