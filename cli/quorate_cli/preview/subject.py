"""What is previewed: a policy of a file or of the cluster, or a namespace in another mode."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import yaml

from quorate import limits, names
from quorate.admission.floor import EXCLUDED_NAMESPACES
from quorate.admission.suspension import suspension_of
from quorate.errors import InvalidInput
from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document
from quorate_cli.cluster.reader import Reader
from quorate_cli.explain.subject import NAME_CHARS_MAX, Named
from quorate_cli.files import read_file
from quorate_cli.policies import compile_all
from quorate_cli.preview.outcome import NamespaceRow

_POLICIES: Final = (kinds.SAFETY_POLICY, kinds.CLUSTER_SAFETY_POLICY)
_WORDS: Final = {
    word: kind
    for kind in (*_POLICIES, kinds.NAMESPACE)
    for word in (kind.name.lower(), kind.plural, kind.resource)
} | {"ns": kinds.NAMESPACE}


def parse_preview(text: str, namespace: str) -> Named:
    """Read ``safetypolicy/NAME``, ``clustersafetypolicy/NAME``, ``namespace/NAME``.

    ``KIND/NAMESPACE/NAME``, as denials write a SafetyPolicy, will do too. Raises InvalidInput.
    """
    word, *rest = text.split("/")
    kind = _WORDS.get(word.lower())
    if kind is None:
        raise InvalidInput(
            f"{word[:80]!r} is nothing that can be previewed",
            fix="use safetypolicy/NAME, clustersafetypolicy/NAME, namespace/NAME, or -f FILE",
        )
    if len(rest) == 2 and kind.namespaced:
        namespace, rest = rest[0], rest[1:]
    if len(rest) != 1 or not all(map(_is_name, (rest[0], namespace))):
        raise InvalidInput(f"must be written {word}/NAME")
    return Named(kind, namespace if kind.namespaced else "", rest[0])


def names_policy(text: str) -> bool:
    """Whether ``KIND/NAME`` names a policy."""
    return _WORDS.get(text.partition("/")[0].lower()) in _POLICIES


def _is_name(text: str) -> bool:
    plain = text.replace("-", "").replace(".", "")
    return plain.isascii() and plain.isalnum() and len(text) <= NAME_CHARS_MAX


def read_draft(path: Path, namespace: str) -> Document:
    """The only policy of a YAML or JSON file; a SafetyPolicy gets ``namespace`` if it names none.

    Raises InvalidInput if there is none, more than one, or it does not compile: applied, it would
    deny every pod it might be for.
    """
    try:
        text = read_file(path, limits.OBJECT_BYTES).decode("utf-8")
        documents = [d for d in yaml.safe_load_all(text) if isinstance(d, dict)]
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"is not YAML: {error}", field=str(path)) from None
    found = [d for d in documents if d.get("kind") in {kind.name for kind in _POLICIES}]
    if len(found) != 1:
        raise InvalidInput(
            f"must hold exactly one SafetyPolicy or ClusterSafetyPolicy; it holds {len(found)}",
            field=str(path),
        )
    draft: Document = dict(found[0])
    metadata: Any = draft.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise InvalidInput("must have a name", field=f"{path}: metadata")
    if draft["kind"] == kinds.SAFETY_POLICY.name:
        draft["metadata"] = metadata | {"namespace": metadata.get("namespace") or namespace}
    _, broken = compile_all([draft])
    if broken:
        raise InvalidInput(f"does not compile: {broken[0].message}", field=str(path))
    return draft


def namespace_rows(
    reader: Reader, chosen: Iterable[str] | None, mode: str | None
) -> list[NamespaceRow]:
    """The namespaces to judge with their mode today and in the preview.

    Without ``chosen``, all that carry a mode. Raises InvalidInput for one that does not exist, and
    NotPermitted: without the mode there is no telling what is refused.
    """
    if chosen is None:
        documents = list(reader.each(kinds.NAMESPACE, labels=names.MODE_LABEL))
    else:
        documents = []
        for name in chosen:
            found = reader.get(kinds.NAMESPACE, name)
            if found is None:
                raise InvalidInput(f"there is no namespace {name}", fix="name another with -n")
            documents.append(found)
    rows = []
    for document in documents:
        name = str(document["metadata"]["name"])
        if name in EXCLUDED_NAMESPACES:
            if chosen is not None:
                message = f"namespace {name} is never judged"
                raise InvalidInput(message, fix="a cluster must start while Quorate is down")
            continue
        today = str((document["metadata"].get("labels") or {}).get(names.MODE_LABEL, ""))
        suspension = suspension_of(document)
        rows.append(
            NamespaceRow(name=name, mode_today=today, mode=mode or today, suspension=suspension)
        )
    return rows
