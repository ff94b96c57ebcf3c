"""committee explain-decision: who voted what and why, and whether that is proven."""

import base64
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quorate.audit.chain import Chain
from quorate.audit.records import Action, HoldDecided
from quorate.consensus.ask import Silence
from quorate.consensus.conversation import Said, Wanted
from quorate.consensus.member import Abstain
from quorate.consensus.request import Role
from quorate.genesis import encode
from quorate.risk.route import Voting
from quorate_cli.committee import chain_file
from quorate_cli.committee.chain_file import Chain as EpochChain
from quorate_cli.decision.reasons import SILENCES
from quorate_consensus.asks import Declined
from quorate_sidecar.exchange import Exchange
from quorate_sidecar.refusal import Refusal
from tests.fakes.acting import Acting
from tests.fakes.committee import DENY, HARD
from tests.unit.cli.conftest import Quorate, Ran
from tests.unit.sidecar.acts import gated

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass
class Scene:
    """A committee whose pod asked, and the command line that reads what it wrote down."""

    quorate: Quorate
    folder: Path
    one: Acting

    async def asks(self, *tools: str) -> list[Action]:
        """What the sidecar wrote down of these calls."""
        exchange = Exchange(0.0, state=self.one.standing.state)
        calls = tuple(Wanted(f"c{n}", tool, "{}") for n, tool in enumerate(tools))
        scene = self.one.gate.enter(exchange, None)
        with contextlib.suppress(Refusal):
            said = Said(Role.ASSISTANT, "", calls)
            await self.one.gate.decide(exchange, scene, [(0, said)], {})
        return self.one.actions[-len(tools) :]

    def chain(self) -> Path:
        """The chain of the committee's epochs: the first."""
        path = self.folder / "chain.json"
        chain_file.save(path, EpochChain(self.one.members.committee.epoch))
        return path

    def explain(self, *bodies: Action | HoldDecided, output: str = "json", **flags: str) -> Ran:
        """Run the command over a log of these records."""
        chain, path = Chain(), self.folder / "audit.jsonl"
        path.write_bytes(b"".join(chain.extend(body, NOW) for body in bodies))
        wanted = [word for name, value in flags.items() for word in (f"--{name}", value)]
        at = ("--chain", self.chain(), "--output", output)
        return self.quorate("committee", "explain-decision", path, *wanted, *at)

    def one_of(self, *bodies: Action | HoldDecided) -> dict[str, Any]:
        """The only decision of a log."""
        ran = self.explain(*bodies)
        (found,) = ran.document["decisions"]
        assert ran.code == (0 if found["proven"] else 1)
        return dict(found)


@pytest.fixture
async def scene(quorate: Quorate, tmp_path: Path) -> Scene:
    """Five members that approve."""
    return Scene(quorate, tmp_path, await gated())


def deny(scene: Scene, *judgements: Any) -> None:
    """The first members judge so."""
    for member, judgement in zip(scene.one.members.committee.members, judgements, strict=False):
        member.judgement = judgement


@pytest.mark.requirement("explain-decision: who voted what and why, by which tier and thresholds")
async def test_a_denial_says_who_and_why(scene: Scene) -> None:
    """Votes with their reasons and whether they verify, who said nothing, and what was missing."""
    deny(scene, DENY)
    next(iter(reversed(scene.one.members.lines.values()))).down = True
    (action,) = await scene.asks("transfer")
    found = scene.one_of(action)
    assert (found["decision"], found["cause"], found["decidedBy"]) == (
        "deny",
        "QuorumUnreachable",
        "strict",
    )
    assert found["thresholds"] == {"n": 5, "needed": 4, "r": 1}
    assert found["epoch"] == {"digest": action.epoch, "number": 0}
    denied = [vote for vote in found["votes"] if vote["verdict"] == "DENY"]
    assert [(vote["member"], vote["reasons"], vote["verified"]) for vote in denied] == [
        ("m0", ["Rule"], True)
    ]
    silent = {one["member"]: one["reason"] for one in found["silent"]}
    assert silent["m4"] == Silence.UNREACHABLE
    assert found["proven"]
    text = " ".join(found["wouldHaveChanged"])
    assert "more of 4 approvals, of m0 or " in text
    assert any("docs/reference/judges.md" in step for step in found["next"])
    shown = scene.explain(action, output="table").out
    for words in ("DENY: QuorumUnreachable", "WHAT WOULD HAVE CHANGED IT", "m0", "no vote", "NEXT"):
        assert words in shown


@pytest.mark.parametrize(
    ("tool", "judgements", "decision", "changed", "then"),
    [
        ("save", (), "approve", "at least 2 honest members", ""),
        ("transfer", (), "approve", "heard before approval 4", ""),
        ("transfer", (HARD,), "hold", "without the denial by a rule of m0 (Rule)", "hold approve"),
        ("save", (DENY, DENY, DENY), "deny", "more of 3 approvals", "judges"),
        ("transfer", (HARD, DENY), "deny", "even then it would be held: m0 (Rule)", "judges"),
        ("lookup", (), "approve", "would have asked the committee", ""),
    ],
)
async def test_what_would_have_changed_it(
    scene: Scene, tool: str, judgements: tuple[Any, ...], decision: str, changed: str, then: str
) -> None:
    """By its cause: missing approvals, a denial by a rule, people, or a higher risk."""
    deny(scene, *judgements)
    (action,) = await scene.asks(tool)
    found = scene.one_of(action)
    assert (found["decision"], found["proven"]) == (decision, True)
    assert changed in " ".join(found["wouldHaveChanged"])
    assert then in " ".join(found["next"])


async def test_a_veto_asks_for_all(quorate: Quorate, tmp_path: Path) -> None:
    """The record says how many approvals it took, so that one denial is explained."""
    voting = Voting(fast_ms=2000, veto=True)
    scene = Scene(quorate, tmp_path, await gated(voting=voting))
    deny(scene, DENY)
    (action,) = await scene.asks("save")
    found = scene.one_of(action)
    assert found["thresholds"]["needed"] == 5
    assert found["proven"]


FORGED: list[tuple[dict[str, Any], str]] = [
    ({"nonce": "0" * 32}, "about another ask"),
    ({"request": "sha256:" + "0" * 64}, "about another ask"),
    ({"decided_by": "fast"}, "about another ask"),
    ({"epoch": "sha256:" + "0" * 64}, "is not in this chain"),
    ({"votes": "AAAA"}, "cannot be read"),
    ({"votes": ""}, "NOT APPROVED"),
    ({"needed": 1}, "its epoch needs 4"),
    ({"approvals": 5}, "counts other votes"),
    ({"nonce": ""}, "names no ask"),
]


@pytest.mark.requirement("explain-decision: each signature is verified offline, by the chain")
@pytest.mark.parametrize(("forged", "problem"), FORGED)
async def test_a_record_proves_what_it_says_or_is_denied(
    scene: Scene, forged: dict[str, Any], problem: str
) -> None:
    """Whatever a sidecar that is not ours writes down: exit code 1, and why."""
    (action,) = await scene.asks("transfer")
    assert scene.one_of(action)["proven"]
    found = scene.one_of(msgspec.structs.replace(action, **forged))
    assert problem in " ".join(found["problems"])
    assert "keep this file" in found["next"][0]


async def test_too_few_votes_are_no_approval(scene: Scene) -> None:
    """An approval that a sidecar made of a denial's votes, with counts that fit them."""
    deny(scene, DENY, DENY)
    (action,) = await scene.asks("transfer")
    found = scene.one_of(msgspec.structs.replace(action, decision="approve"))
    assert "are needed: NOT APPROVED" in " ".join(found["problems"])


async def test_a_certificate_alone_is_explained(scene: Scene) -> None:
    """As bytes or in base64, whoever kept it; one about other members is denied."""
    (action,) = await scene.asks("transfer")
    raw, text = scene.folder / "votes", scene.folder / "votes.b64"
    raw.write_bytes(base64.b64decode(action.votes))
    text.write_text(action.votes + "\n")
    words = ("committee", "explain-decision", "-o", "json", "--chain", scene.chain())
    for path in (raw, text):
        ran = scene.quorate(*words, "--certificate", path)
        (found,) = ran.document["decisions"]
        assert (ran.code, found["decision"], found["request"]) == (0, "approve", action.request)
    other = await gated()
    chain_file.save(scene.folder / "other.json", EpochChain(other.members.committee.epoch))
    ran = scene.quorate(*words[:-1], scene.folder / "other.json", "--certificate", raw)
    assert ran.code == 1
    assert "not in this chain" in ran.out
    raw.write_bytes(b"no certificate")
    assert scene.quorate(*words, "--certificate", raw).code == 2


async def test_what_people_decided_is_told(scene: Scene) -> None:
    """Beside the hold that they decided about."""
    deny(scene, HARD)
    (action,) = await scene.asks("transfer")
    signed = HoldDecided(action.hold, "Approved", ("sha256:" + "c" * 64,), action.request, "then")
    found = scene.one_of(action, signed)
    assert found["people"] == [{"standing": "Approved", "signers": ["sha256:" + "c" * 64]}]
    assert "people decided: Approved" in " ".join(found["next"])


async def test_the_one_that_is_meant(scene: Scene) -> None:
    """By exchange, request or hold; the last without a word; an unknown one is bad input."""
    first = (await scene.asks("transfer"))[0]
    both = await scene.asks("save", "transfer")
    log = (first, *both)
    assert len(scene.explain(*log).document["decisions"]) == 1
    assert len(scene.explain(*log, id=both[0].id).document["decisions"]) == 2
    (found,) = scene.explain(*log, id=both[0].request).document["decisions"]
    assert found["action"]["tool"] == "save"
    assert scene.explain(*log, id="req_other").code == 2


async def test_a_log_that_is_not_whole_is_denied(scene: Scene) -> None:
    """Its decision is told all the same."""
    (action,) = await scene.asks("transfer")
    assert scene.explain(action, action).code == 0
    path = scene.folder / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seq":0', b'"seq":7', 1))
    ran = scene.quorate("committee", "explain-decision", path, "--chain", scene.chain())
    assert ran.code == 1
    assert "the log is not whole" in ran.out
    assert "APPROVE: QuorumApproved" in ran.out


async def test_another_genesis_is_refused(scene: Scene) -> None:
    """Votes count by the chain that was pinned, whatever file is shown."""
    (action,) = await scene.asks("transfer")
    other = await gated()
    (scene.folder / "pin.json").write_bytes(encode(other.members.committee.epoch))
    assert scene.explain(action, genesis=str(scene.folder / "pin.json")).code == 1


def test_every_silence_has_a_meaning() -> None:
    """Every word that a member abstains with, and ours for who said nothing."""
    words = {*Abstain, *Declined, *Silence}
    assert {str(word.value) for word in words} == set(SILENCES)
