"""What a decision rested on, what would have changed it, and what to do next. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from quorate.audit.records import HoldDecided
from quorate.consensus.ask import Cause
from quorate.consensus.request import BAND_FROM, Band
from quorate.consensus.thresholds import Tier
from quorate.consensus.wire import JUDGE_FAILED, JUDGE_LATE
from quorate_cli.decision.proof import Proof

SILENCES: Final[Mapping[str, str]] = {
    "Unreachable": "no connection, or an error: quorate committee status says who answers",
    "NotHeard": "it had not answered when the ask ended: nothing to do unless it is always late",
    "InvalidAnswer": "what it answered was no vote about this ask: look at that member",
    "Malformed": "it could not read the ask: versions differ, or something changed it on the way",
    "OtherEpoch": "it is in another epoch: quorate committee status says which; it catches up",
    "Frozen": "a freeze covers it there: quorate freeze list",
    "Overloaded": "it sheds load: look at its metrics, and at who asks so much",
    "VoteNotStored": "its disk took no vote: look at its volume (quorate_member_store_broken)",
    "Draining": "it was stopping; ask again",
    "NotVoting": "it has no seat, key or store to vote with: its log says which",
    "TooManyAsks": "the pod asked more than a member answers of one pod; ask again later",
    "AnswerLate": "its judges were not done in the time there was",
    "RequestMalformed": "the request is not canonical: sidecar and member are of other versions",
    "ClusterUnknown": "the operator has told it too little yet: is the operator running?",
    "PodDenied": "it denies this pod altogether: quorate explain pod/NAME",
    "CertifyNotAsked": "a pod asked to certify: something other than our sidecar sent this",
    "OtherNamespace": "the request names another namespace than its token: not our sidecar",
    "OtherWorkload": "the request names another pod than its token: not our sidecar",
    "OtherModel": "the member knows another model of this pod; if it lasts: quorate explain",
    "OtherManifest": "the model was certified anew meanwhile; if it lasts: quorate explain",
    "OtherPolicies": "the policies changed meanwhile; ask again; if it lasts, is the operator up?",
    "OtherCapability": "the member's policies declare the tool otherwise; ask again",
    "OtherActionClass": "the member's policies declare the tool otherwise; ask again",
}
"""What a member's silence means, and where to look. What an abstention says is not signed."""
_ALWAYS: Final = {
    Cause.EPOCH_SUPERSEDED.value: (
        "the committee changed while it was asked; the same answer may pass now",
        "repeat the request",
    ),
    Cause.FROZEN.value: (
        "without the freeze the committee would have been heard",
        "quorate freeze list says what is frozen, why and until when; quorate unfreeze ends it",
    ),
    "CommitteeNotAsked": (
        "nobody could be asked: too much was under way, no epoch was known, or an error",
        "look at the sidecar's log, and at quorate committee status; then repeat the request",
    ),
    "AnswerNotReleased": (
        "it would have passed alone; an answer leaves as a whole or not at all",
        "look at the other actions of this exchange: the same --id shows them",
    ),
    "PersonApproved": ("without the people's approval it would be held", ""),
}
"""By cause: what would have changed it, and what to do."""


def changes(proof: Proof) -> list[str]:
    """What would have changed the decision."""
    action = proof.action
    if action.cause in _ALWAYS:
        return [text for text in _ALWAYS[action.cause][:1] if text]
    if not proof.was_asked:
        return [_alone(proof)]
    by_cause: dict[str, Callable[[Proof], Iterator[str]]] = {
        Cause.NO_QUORUM.value: _too_few,
        Cause.DEADLINE.value: _too_few,
        Cause.HARD_DENIAL.value: _by_rule,
        "PersonNeeded": _by_people,
    }
    tell = by_cause.get(action.cause, _approved if action.decision == "approve" else _too_few)
    return list(tell(proof))


def steps(proof: Proof, people: Sequence[HoldDecided]) -> list[str]:
    """What to do next."""
    action = proof.action
    found = []
    if proof.problems:
        found.append(
            "keep this file: a record that does not prove what it says means a changed log, or a "
            "sidecar that is not ours"
        )
    found += [text for text in _ALWAYS.get(action.cause, ("", ""))[1:] if text]
    if action.decision == "hold":
        found.append(_decide(action.hold, people))
    if action.decision != "approve":
        found += _about_judges(proof)
        found += _about_silence(action.silent)
    return found


def _about_silence(silent: Mapping[str, str]) -> Iterator[str]:
    for word in dict.fromkeys(silent.values()):
        names = ", ".join(name for name, said in silent.items() if said == word)
        meaning = SILENCES.get(word, "no word of ours: look at who says it")
        yield f"{names}: {word}: {meaning}"


def _alone(proof: Proof) -> str:
    score, band = proof.action.score, proof.action.band
    if band == Band.LOCAL:
        return (
            f"a score of {BAND_FROM[Band.MEDIUM]} (it had {score}), or a policy's floor for its "
            "tool, capability or class, would have asked the committee"
        )
    return "nobody was asked: it cannot be read in one way only, so nobody could judge it"


def _too_few(proof: Proof) -> Iterator[str]:
    missing = proof.needed - len(proof.approving)
    if missing <= 0:
        yield "its votes would have been enough: they came too late, or it was denied otherwise"
        return
    silent = ", ".join(proof.action.silent)
    against = ", ".join(vote.member for vote in proof.denying)
    who = " or ".join(text for text in (against, silent) if text) or "others"
    yield f"{missing} more of {proof.needed} approvals, of {who}"
    if proof.hard and _is_strict(proof):
        yield f"and even then it would be held: {_names(proof)} denied by a rule"


def _by_rule(proof: Proof) -> Iterator[str]:
    yield f"without the denial by a rule of {_names(proof)} it would have passed"
    yield "people may approve it: exactly this request, once"


def _by_people(proof: Proof) -> Iterator[str]:
    verb = "approved it already" if len(proof.approving) >= proof.needed else "did not approve it"
    yield f"an approval of the people whom the policies name; the members {verb}"


def _approved(proof: Proof) -> Iterator[str]:
    spare = len(proof.approving) - proof.needed
    silent = ", ".join((*(vote.member for vote in proof.denying), *proof.action.silent))
    instead = f", unless {silent} had approved instead" if silent else ""
    yield f"denials of {spare + 1} of {', '.join(proof.approving)}{instead}"
    if _is_strict(proof):
        yield f"a denial by a rule, heard before approval {proof.needed}, would have held it"
    if proof.epoch is not None:
        r = proof.epoch.record.thresholds.r
        yield f"with {r} liars among them, at least {proof.needed - r} honest members approved"


def _decide(hold: str, people: Sequence[HoldDecided]) -> str:
    if people:
        return f"people decided: {people[-1].standing}; the client repeats its request at the pod"
    return f"quorate hold approve --id {hold} …, or reject it; it stays denied otherwise"


def _about_judges(proof: Proof) -> Iterator[str]:
    words = {reason for vote in proof.denying for reason in vote.reasons}
    if words & {JUDGE_LATE, JUDGE_FAILED}:
        yield "judges that were late or failed gave no verdict: look at those members' load and log"
    if words - {JUDGE_LATE, JUDGE_FAILED}:
        yield "if it should have passed: the reasons are judges' rules, docs/reference/judges.md"


def _names(proof: Proof) -> str:
    return ", ".join(
        f"{vote.member} ({', '.join(vote.reasons)})" if vote.reasons else vote.member
        for vote in proof.hard
    )


def _is_strict(proof: Proof) -> bool:
    return proof.action.decided_by == Tier.STRICT
