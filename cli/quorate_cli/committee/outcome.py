"""What ``committee status`` found, for people and for programs."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from quorate.consensus.epoch import Change, Epoch, material_of
from quorate.consensus.margin import Margin, margins
from quorate_cli import exit_codes
from quorate_cli.command import Result
from quorate_cli.committee.proposals import Proposals
from quorate_cli.committee.survey import Heard, Survey
from quorate_cli.layout import NOTICE, mark, table, wrapped

_STEP = "  "
_WHAT = {
    "fast": "requests of medium risk",
    "strict": "admission, epochs, and requests of high risk",
}


def result(survey: Survey, proposals: Proposals, width: int) -> Result:
    """The screen and the document. Exit code 1: there are two histories; 3: not all whose vote
    counts answered."""
    code = exit_codes.OK
    if not survey.head.counted <= set(survey.answering):
        code = exit_codes.UNREACHABLE
    if survey.forks:
        code = exit_codes.DENIED
    lines = [*_lines(survey, width), *proposals.lines(width)]
    return Result(lines, _document(survey) | proposals.document, code)


def _document(survey: Survey) -> dict[str, Any]:
    head, record = survey.head, survey.head.record
    return {
        "clusterId": record.cluster_id,
        "genesis": survey.chain.genesis.digest_text,
        "epoch": {
            "number": record.number,
            "digest": head.digest_text,
            "change": str(record.change),
            "reason": record.reason,
        },
        "thresholds": {
            "n": record.thresholds.n,
            "fast": record.thresholds.fast,
            "strict": record.thresholds.strict,
            "r": record.thresholds.r,
        },
        "tiers": [_tier(margin) for margin in margins(head, survey.answering)],
        "members": [_member(survey, seat.name) for seat in record.seats],
        "others": [_other(one) for one in survey.heard if head.seat(one.name) is None],
        "sameJudges": [list(names) for names in _same_judges(head)],
        "administrators": {
            "needed": record.admins.needed,
            "keys": [material_of(key) for key in record.admins.keys],
        },
        "policies": record.policies,
        "canaries": record.canaries or "",
        "released": len(record.released),
        "forks": list(survey.forks),
    }


def _tier(margin: Margin) -> dict[str, Any]:
    return {
        "tier": str(margin.tier),
        "needed": margin.needed,
        "mayBeDown": margin.down,
        "honest": margin.honest,
        "standing": margin.standing,
        "spare": margin.spare,
    }


def _member(survey: Survey, name: str) -> dict[str, Any]:
    seat = survey.head.seat(name)
    heard = next((one for one in survey.heard if one.name == name), None)
    known = heard.history.head if heard is not None and heard.history is not None else None
    return {
        "name": name,
        "failureDomain": seat.failure_domain if seat else "",
        "judges": seat.judges if seat else "",
        "key": material_of(seat.key) if seat else "",
        "quarantined": bool(seat and seat.quarantined),
        "answers": bool(heard and heard.answers),
        "epoch": known.record.number if known else None,
        "agrees": known is not None and known.digest == survey.head.digest,
        "problem": heard.problem if heard else "it is not said where it is (--member-url)",
    }


def _other(heard: Heard) -> dict[str, Any]:
    number = heard.history.head.record.number if heard.history else None
    return {"name": heard.name, "epoch": number, "problem": heard.problem}


def _same_judges(head: Epoch) -> Iterator[tuple[str, ...]]:
    by_digest = defaultdict(list)
    for seat in head.record.seats:
        by_digest[seat.judges].append(seat.name)
    yield from (tuple(names) for names in by_digest.values() if len(names) > 1)


def _lines(survey: Survey, width: int) -> list[str]:
    record = survey.head.record
    lines = [
        f"COMMITTEE of {record.cluster_id}",
        f"{_STEP}epoch    {record.number}, {survey.head.digest_text}",
    ]
    if record.change is not Change.GENESIS:
        lines += wrapped(f"{record.change}: {record.reason}", width, first=f"{_STEP}made by  ")
        lines.append(f"{_STEP}genesis  {survey.chain.genesis.digest_text}")
    if survey.forks:
        lines += wrapped(
            f"TWO HISTORIES: {', '.join(survey.forks)} is certified as well. More members lied "
            "than are tolerated, or a recovery went past what was decided. Stop, and find out.",
            width,
            first=f"{_STEP}{NOTICE} ",
        )
    lines += ["MEMBERS", *_members(survey, width), "THRESHOLDS", *_thresholds(survey, width)]
    keys = [material_of(key) for key in record.admins.keys]
    needed = f"{record.admins.needed} of {len(keys)} must sign" if keys else "none"
    return [*lines, f"ADMINISTRATORS: {needed}", *(f"{_STEP}{key}" for key in keys)]


def _members(survey: Survey, width: int) -> Iterator[str]:
    rows = []
    for seat in survey.head.record.seats:
        one = _member(survey, seat.name)
        sign = NOTICE if seat.quarantined else mark(one["answers"])
        rows.append([sign, seat.name, seat.failure_domain, _about(one)])
    rows += [
        [NOTICE, one["name"], "", f"is no member: {one['problem'] or 'answers all the same'}"]
        for one in _document(survey)["others"]
    ]
    yield from table(rows, width, indent=_STEP)
    for names in _same_judges(survey.head):
        text = f"{', '.join(names)} have the same judges: one opinion"
        yield from wrapped(text, width, first=f"{_STEP}{NOTICE} ")


def _about(one: dict[str, Any]) -> str:
    if one["quarantined"]:
        return "under quarantine: its vote counts for nothing, and what it says is not believed"
    parts = []
    if one["epoch"] is not None:
        parts.append(f"epoch {one['epoch']}" + ("" if one["agrees"] else ", not the newest"))
    if one["problem"]:
        parts.append(one["problem"])
    return "; ".join(parts)


def _thresholds(survey: Survey, width: int) -> Iterator[str]:
    thresholds = survey.head.record.thresholds
    for margin in margins(survey.head, survey.answering):
        yield from wrapped(
            f"{margin.tier}: {margin.needed} of {margin.members} must approve "
            f"({_WHAT[margin.tier]}). {margin.down} may be down. {_lying(margin, thresholds.r)} "
            f"Now {margin.standing} answer and count: {_now(margin)}",
            width,
            first=_STEP,
            rest=_STEP * 2,
        )
    if thresholds.r == 0:
        yield f"{_STEP}{NOTICE} no member may lie: what a strict quorum says is believed"


def _lying(margin: Margin, r: int) -> str:
    if r == 0:
        return "None may lie."
    honest = f"{margin.honest} honest {'one is' if margin.honest == 1 else 'ones are'}"
    return f"{r} may lie: {honest} behind each approval; a liar that refuses counts as down."


def _now(margin: Margin) -> str:
    if margin.spare < 0:
        return f"NOTHING IS APPROVED, {-margin.spare} more must."
    return "no more may go." if margin.spare == 0 else f"{margin.spare} more may go."
