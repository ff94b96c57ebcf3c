"""A decision, for people and for programs."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from quorate.audit.records import HoldDecided
from quorate_cli.decision import reasons
from quorate_cli.decision.proof import Proof
from quorate_cli.decision.votes import Said
from quorate_cli.layout import NOTICE, mark, table, wrapped

_STEP: Final = "  "


def document(at: str, proof: Proof, people: Sequence[HoldDecided]) -> dict[str, Any]:
    """All of it, with stable names."""
    action, epoch = proof.action, proof.epoch
    thresholds = epoch.record.thresholds if epoch is not None else None
    return {
        "at": at,
        "id": action.id,
        "decision": action.decision,
        "cause": action.cause,
        "action": {
            "choice": action.choice,
            "place": action.place,
            "tool": action.tool,
            "capability": action.capability,
            "actionClass": action.action_class,
            "band": action.band,
            "score": action.score,
        },
        "request": action.request,
        "nonce": action.nonce,
        "audiences": sorted({f"sha256:{vote.audience.hex()}" for vote in proof.votes}),
        "decidedBy": action.decided_by,
        "epoch": {"digest": action.epoch, "number": epoch.record.number if epoch else None},
        "thresholds": {
            "n": thresholds.n if thresholds else None,
            "needed": proof.needed or None,
            "r": thresholds.r if thresholds else None,
        },
        "votes": [_vote(vote) for vote in proof.votes],
        "silent": [
            {"member": name, "reason": word, "meaning": reasons.SILENCES.get(word, "")}
            for name, word in action.silent.items()
        ],
        "hold": action.hold,
        "people": [{"standing": one.standing, "signers": list(one.signers)} for one in people],
        "milliseconds": action.milliseconds,
        "proven": not proof.problems,
        "problems": list(proof.problems),
        "since": list(proof.since),
        "wouldHaveChanged": reasons.changes(proof),
        "next": reasons.steps(proof, people),
    }


def _vote(vote: Said) -> dict[str, Any]:
    return {
        "member": vote.member,
        "verdict": vote.verdict,
        "hard": vote.hard,
        "score": vote.score,
        "reasons": list(vote.reasons),
        "verified": vote.verified,
        "problem": vote.problem,
    }


def lines(one: dict[str, Any], width: int) -> list[str]:
    """The screen of a document."""
    cause = f": {one['cause']}" if one["cause"] else ""
    return [
        f"{one['decision'].upper()}{cause}",
        *_facts(one, width),
        *(["VOTES", *_votes(one, width)] if one["votes"] or one["silent"] else []),
        *_paragraphs("PROOF", _proof(one), width),
        *_paragraphs("WHAT WOULD HAVE CHANGED IT", one["wouldHaveChanged"], width),
        *_paragraphs("NEXT", one["next"], width),
    ]


def _facts(one: dict[str, Any], width: int) -> Iterator[str]:
    action, epoch, limits = one["action"], one["epoch"], one["thresholds"]
    place = f"call {action['place']} of choice {action['choice']}, {action['tool']}"
    what = place if action["tool"] else "the answer's text"
    rows = []
    if one["id"]:
        rows.append(["action", f"{what}: {action['capability']}, {action['actionClass']}"])
        rows.append(["risk", f"{action['band']}, score {action['score']} of 1000"])
        rows.append(["exchange", f"{one['id']} at {one['at']}"])
    number = "not in this chain" if epoch["number"] is None else f"epoch {epoch['number']}"
    if epoch["digest"]:
        needed = f"{limits['needed']} of {limits['n']} members must approve, {limits['r']} may lie"
        known = f"; {needed}" if limits["n"] is not None else ""
        took = f"; {one['milliseconds']} ms" if one["milliseconds"] else ""
        rows.append(["tier", f"{one['decidedBy']}{known}{took}"])
        rows.append(["epoch", f"{number}, {epoch['digest']}"])
    else:
        rows.append(["decided", f"by the {one['decidedBy']} alone"])
    rows += [[name, one[name]] for name in ("request", "nonce", "hold") if one[name]]
    rows += [["for pod", audience] for audience in one["audiences"]]
    rows += [["people", f"{p['standing']} by {', '.join(p['signers'])}"] for p in one["people"]]
    for row in rows:
        yield from wrapped(row[1], width, first=f"{_STEP}{row[0]:<9} ")


def _votes(one: dict[str, Any], width: int) -> list[str]:
    rows = [
        [
            mark(vote["verified"]),
            vote["member"],
            vote["verdict"] + (", by a rule" if vote["hard"] else ""),
            f"{vote['score']}",
            "; ".join(filter(None, (", ".join(vote["reasons"]), vote["problem"]))),
        ]
        for vote in one["votes"]
    ]
    rows += [["-", silent["member"], "no vote", "", silent["reason"]] for silent in one["silent"]]
    return table(rows, width, header=("", "MEMBER", "VERDICT", "SCORE", "WHY"), indent=_STEP)


def _proof(one: dict[str, Any]) -> list[str]:
    notes = [f"{NOTICE} {text}" for text in one["since"]]
    if one["problems"]:
        return [*(f"{mark(False)} {text}" for text in one["problems"]), *notes]
    if not one["votes"]:
        return [*notes, "there are no votes: what is written is the sidecar's own word"]
    count = len(one["votes"])
    return [f"{mark(True)} {count} signatures verify by the chain, about this very ask", *notes]


def _paragraphs(title: str, texts: Sequence[str], width: int) -> Iterator[str]:
    if texts:
        yield title
    for text in texts:
        yield from wrapped(text, width, first=_STEP, rest=_STEP * 2)
