"""How far the proposals in the SafetyCommittee are, as the operator wrote it there."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from quorate.api.v1alpha1.safety_committee import OBJECT, ProposalStatus, Replacement
from quorate.errors import QuorateError
from quorate_cli.cluster import connection
from quorate_cli.cluster.kinds import SAFETY_COMMITTEE
from quorate_cli.layout import NOTICE, wrapped

NEW: Final = "New"
"""The operator has not looked at it yet."""
UNASKED: Final = "--member-url without --kubeconfig or --context asks members only"
_STEP = "  "


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the object says, in its order; ``problem``: why it was not read."""

    found: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    prepared: Mapping[str, str] | None = None
    """A replacement that waits for people: ``member`` who leaves, ``by`` whom."""

    @property
    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "proposals": [dict(one) for one in self.found],
            "proposalsProblem": self.problem,
            "prepared": dict(self.prepared) if self.prepared is not None else None,
        }

    def lines(self, width: int) -> Iterator[str]:
        """For people; nothing if there are none."""
        if self.prepared is not None:
            text = "{by} for {member}, waits for an administrator: quorate committee acknowledge"
            yield "PREPARED"
            yield from wrapped(text.format_map(self.prepared), width, first=f"{_STEP}{NOTICE} ")
        if not self.found and self.problem in ("", UNASKED):
            return
        yield "PROPOSALS"
        if self.problem:
            yield from wrapped(f"not read: {self.problem}", width, first=f"{_STEP}{NOTICE} ")
        for one in self.found:
            signed = f", {len(one['endorsed'])} of {one['needed']} signed" if one["needed"] else ""
            why = f": {one['message']}" if one["message"] else ""
            text = f"{one['name']}  {one['phase']}{signed}{why}"
            yield from wrapped(text, width, first=_STEP, rest=_STEP * 2)


def read(arguments: Namespace) -> Proposals:
    """The proposals, if the API server is asked at all: it is not, where flags say where members
    are and name no cluster. Raises nothing: what cannot be read is no reason to show nothing."""
    if arguments.member_url and not (arguments.kubeconfig or arguments.context):
        return Proposals(problem=UNASKED)
    try:
        document = connection.connect(arguments).reader.get(SAFETY_COMMITTEE, OBJECT)
    except QuorateError as error:
        return Proposals(problem=str(error))
    if document is None:
        return Proposals(problem=f"there is no SafetyCommittee {OBJECT}")
    said = {one.name: one for one in _statuses(document.get("status") or {})}
    names = [str(one.get("name")) for one in (document.get("spec") or {}).get("proposals") or []]
    # What the operator proposes by itself is in no spec, and goes before the rest.
    own = [name for name in said if name not in names]
    found = tuple(_proposal(name, said.get(name)) for name in (*own, *names))
    return Proposals(found, prepared=_prepared(document.get("status") or {}))


def _prepared(status: Mapping[str, Any]) -> Mapping[str, str] | None:
    try:
        found = Replacement.model_validate(status.get("replacement"))
    except ValidationError:
        return None
    return {"member": found.member, "by": found.by}


def _statuses(status: Mapping[str, Any]) -> Iterator[ProposalStatus]:
    for one in status.get("proposals") or []:
        try:
            yield ProposalStatus.model_validate(one)
        except ValidationError:
            continue


def _proposal(name: str, said: ProposalStatus | None) -> dict[str, Any]:
    return {
        "name": name,
        "phase": said.phase if said else NEW,
        "digest": said.digest if said else "",
        "endorsed": list(said.endorsed) if said else [],
        "needed": said.needed if said else 0,
        "message": said.message if said else "",
    }
