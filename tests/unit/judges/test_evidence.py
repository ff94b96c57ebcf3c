"""The evidence judge: every signature again, and only the statement that it would sign."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from quorate.certificate import Statement
from quorate.consensus.request import Principal, Request
from quorate.consensus.wire import Verdict
from quorate.evidence.intoto import Outcome
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import evaluated
from quorate_consensus.judges.evidence import EvidenceJudge, Relayed
from quorate_consensus.judges.opinion import Opinion
from quorate_consensus.judges.panel import Panel
from quorate_consensus.observed import ObservedModel
from quorate_consensus.relay import Relay
from tests.fakes import vouching
from tests.fakes.asking import action, encoded, request, user
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, ManualClock, Scene, relayed


@dataclass
class World:
    """A member that knows one model and its floor."""

    scene: Scene
    relay: Relay
    clock: ManualClock
    judge: EvidenceJudge
    workers: Executor

    @property
    def floor(self) -> Any:
        """The compiled cluster policy."""
        known = Relayed(self.relay).policies("team-a")
        return next(policy for policy in known if policy.is_cluster)

    def principal(self, **fields: Any) -> Principal:
        """The workload that serves the model."""
        whole: dict[str, Any] = {
            "namespace": "team-a", "workload": "chat-0", "model": "demo",
            "manifest_digest": FILES.digest, "policy_digests": (self.floor.digest,),
        }  # fmt: skip
        return Principal(**(whole | fields))

    def act(self, **fields: Any) -> Request:
        """An everyday action of it."""
        made = action("write_file", "write", user("x"), path="a")
        return msgspec.structs.replace(made, principal=self.principal(**fields))

    def statement(self, **fields: Any) -> Statement:
        """The statement that an honest member would sign."""
        known = Relayed(self.relay).model("team-a", "demo")
        assert isinstance(known, ObservedModel)
        evaluation = evaluated(
            self.scene.members.cluster_id,
            None,
            self.floor,
            known,
            self.clock.now(),
        )
        whole: dict[str, Any] = {
            "cluster_id": self.scene.members.cluster_id,
            "epoch": self.scene.members.genesis.digest_text,
            "namespace": "team-a",
            "model": "demo",
            "manifest_digest": FILES.digest,
            "policy": self.floor.ref,
            "policy_digest": self.floor.digest,
            "evidence": evaluation.evidence,
            "issued_at": NOW,
            "expires_at": NOW + timedelta(minutes=30),
        }
        return Statement(**(whole | fields))

    def certify(self, statement: Statement, **fields: Any) -> Request:
        """An ask to certify."""
        arguments = msgspec.to_builtins(statement)
        return self.ask_to_certify(arguments, **fields)

    def ask_to_certify(self, arguments: dict[str, Any], **fields: Any) -> Request:
        """An ask to certify with any arguments."""
        return request(
            principal=self.principal(**fields), capability="admission", action_class="certify",
            arguments=arguments,
        )  # fmt: skip

    async def read(self, made: Request) -> Opinion:
        """The judge's opinion of what arrives as bytes."""
        encoded(made)
        early = self.judge.at_once(made)
        opinion = await self.judge.judge(made, 5_000)
        assert early in (None, opinion), "at once it says the same, or nothing"
        assert self.judge.at_once(made) == (opinion if made.capability != "admission" else None)
        return opinion


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    """Makes worlds; ``batch`` are fields of what is relayed."""
    with ThreadPoolExecutor(1) as workers:

        def make(scene: Scene | None = None, **batch: Any) -> World:
            scene = scene or Scene()
            relay, clock = relayed(scene.batch(**batch)), ManualClock()
            judge = EvidenceJudge(Relayed(relay), Epochs(scene.members.genesis), clock, workers)
            return World(scene, relay, clock, judge, workers)

        yield make


Make = Callable[..., World]


@pytest.mark.requirement("judges: an admission statement is verified again from scratch")
async def test_the_very_statement_is_approved(world: Make) -> None:
    """What an honest member would sign is approved, through a panel as well."""
    here = world()
    made = here.certify(here.statement())
    assert await here.read(made) == Opinion(Verdict.APPROVE, 0)
    judged = await Panel([here.judge]).judge(encoded(made), 5_000)
    assert judged.verdict is Verdict.APPROVE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cluster_id": "other"}, "StatementOfAnother"),
        ({"epoch": f"sha256:{'0' * 64}"}, "StatementOfAnotherEpoch"),
        ({"namespace": "team-b"}, "StatementOfAnother"),
        ({"model": "other"}, "StatementOfAnother"),
        ({"manifest_digest": f"sha256:{'0' * 64}"}, "StatementOfAnother"),
        ({"policy_digest": f"sha256:{'0' * 64}"}, "StatementOfAnother"),
        ({"evidence": ()}, "StatementOfOtherEvidence"),
        ({"evidence": (f"sha256:{'0' * 64}",)}, "StatementOfOtherEvidence"),
        ({"servers_unread": (f"sha256:{'0' * 64}",)}, "StatementOfOtherEvidence"),
        ({"expires_at": NOW + timedelta(hours=2)}, "StatementOutOfTime"),
        ({"expires_at": NOW - timedelta(seconds=1)}, "StatementOutOfTime"),
        ({"issued_at": NOW + timedelta(minutes=10)}, "StatementOutOfTime"),
    ],
)
async def test_another_statement_is_denied(
    world: Make, fields: dict[str, Any], reason: str
) -> None:
    """One field that the evidence does not support is a hard DENY that says which."""
    here = world()
    opinion = await here.read(here.certify(here.statement(**fields)))
    assert (opinion.verdict, opinion.reasons, opinion.hard) == (Verdict.DENY, (reason,), True)


async def test_a_statement_must_not_outlive_its_evidence(world: Make) -> None:
    """A gate that ends in ten minutes bounds the certificate."""
    scene = Scene()
    late = NOW - timedelta(hours=23, minutes=50)
    here = world(scene, models=(scene.model(finished_at=late),))
    opinion = await here.read(here.certify(here.statement()))
    assert opinion.reasons == ("StatementOutlivesEvidence",)
    short = here.statement(expires_at=NOW + timedelta(minutes=5))
    assert (await here.read(here.certify(short))).verdict is Verdict.APPROVE


async def test_arguments_that_are_no_statement(world: Make) -> None:
    """Unknown, missing or respelled fields are refused before anything is verified."""
    here = world()
    good = msgspec.to_builtins(here.statement())
    respelled = good | {"issuedAt": good["issuedAt"].replace("Z", "+00:00")}
    malformed: list[dict[str, Any]] = [
        {},
        good | {"more": 1},
        good | {"evidence": "all"},
        respelled,
    ]
    for arguments in malformed:
        opinion = await here.read(here.ask_to_certify(arguments))
        assert opinion.reasons == ("StatementMalformed",)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            lambda scene: scene.model() | {"spec": scene.model()["spec"] | {"signatures": []}},
            "NotSigned",
        ),
        (
            lambda scene: scene.model() | {"spec": scene.model()["spec"] | {"evidence": []}},
            "GateMissing",
        ),
        (lambda scene: scene.model(result=Outcome.FAILED), "GateFailed"),
        (lambda scene: Scene().model(), "SignerNotTrusted"),
    ],
)
async def test_evidence_that_is_not_enough(
    world: Make, model: Callable[[Scene], dict[str, Any]], reason: str
) -> None:
    """Unsigned, by a stranger, without a gate or with a failed one: hard, for both kinds."""
    scene = Scene()
    here = world(scene, models=(model(scene),))
    for made in (here.certify(here.statement(evidence=())), here.act()):
        opinion = await here.read(made)
        assert (opinion.verdict, opinion.hard) == (Verdict.DENY, True)
        assert reason in opinion.reasons


async def test_a_model_in_good_standing_may_act(world: Make) -> None:
    """An action of a model that holds its floor is approved."""
    here = world()
    assert await here.read(here.act()) == Opinion(Verdict.APPROVE, 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": "other"}, "ModelUnknown"),
        ({"namespace": "team-b"}, "ModelUnknown"),
        ({"manifest_digest": f"sha256:{'0' * 64}"}, "OtherManifest"),
        ({"policy_digests": (f"sha256:{'0' * 64}",)}, "PolicyUnknown"),
    ],
)
async def test_a_principal_that_the_member_does_not_know(
    world: Make, fields: dict[str, Any], reason: str
) -> None:
    """Another model, other bytes, a policy of nobody: DENY, not hard, for it may be on its way."""
    here = world()
    opinion = await here.read(here.act(**fields))
    assert (opinion.verdict, opinion.reasons, opinion.hard) == (Verdict.DENY, (reason,), False)


async def test_leaving_the_floor_out_does_not_help(world: Make) -> None:
    """A principal that names only a mild policy of its own namespace is denied."""
    scene = Scene()
    own = vouching.policy({}, name="mild", namespace="team-a")
    here = world(scene, policies=(scene.floor(), own))
    mild = next(p for p in Relayed(here.relay).policies("team-a") if not p.is_cluster)
    values = {"policy_digests": (mild.digest,)}
    both = {"policy_digests": tuple(sorted((mild.digest, here.floor.digest)))}
    assert (await here.read(here.act(**values))).reasons == ("NoClusterPolicyNamed",)
    assert (await here.read(here.act(**both))).verdict is Verdict.APPROVE


async def test_before_the_operator_was_heard() -> None:
    """A member that knows nothing yet denies everything."""
    with ThreadPoolExecutor(1) as workers:
        judge = EvidenceJudge(
            Relayed(Relay()), Epochs(Scene().members.genesis), ManualClock(), workers
        )
        opinion = await judge.judge(action("t", "write", user("x")), 1_000)
    assert opinion.reasons == ("ModelUnknown",)


async def test_a_judgement_is_kept_for_moments_and_for_the_same_documents(world: Make) -> None:
    """Time ends it, and so does a change of the model: a gate that expires is seen."""
    here = world()
    assert (await here.read(here.act())).verdict is Verdict.APPROVE
    here.clock.advance(24 * 3600)
    opinion = await here.read(here.act())
    assert (opinion.verdict, opinion.reasons) == (Verdict.DENY, ("GateExpired",))
