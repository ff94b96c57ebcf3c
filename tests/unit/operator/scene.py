"""A small cluster as the operator sees it, and members that answer what they are told to.

Documents, keys, signatures and certificates are real; only who holds the keys is made up.
"""

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from quorate import names
from quorate.admission.injection import parse_config
from quorate.admission.store import Store
from quorate.certificate import PolicyRef
from quorate.policy.compiled import CompiledPolicy
from quorate.verdict import Reason
from quorate_io.member_api import RequirementResult
from quorate_io.operator_client import Evaluation
from quorate_operator.kinds import (
    ATTESTED_MODEL,
    CLUSTER_SAFETY_POLICY,
    NAMESPACE,
    POD,
    SAFETY_POLICY,
    Key,
    Kind,
    policy_key,
)
from quorate_operator.pending import Pending
from quorate_operator.reconcile.actions import ApplyStatus
from quorate_operator.reconcile.model import Plan, SeenModel, plan_model
from quorate_operator.reconcile.outcome import Outcome, Question, answered, unanswered
from quorate_operator.world import World
from tests.fakes import vouching
from tests.fakes.vouching import NOW, Committee

Document = dict[str, Any]
FILES = vouching.model_files()
OWNER = vouching.signer()
PRODUCER = vouching.signer()
TEAM = "team-a"
MODEL = Key(ATTESTED_MODEL.name, TEAM, "demo")
FLOOR = PolicyRef("ClusterSafetyPolicy", None, "floor")
LIFE = timedelta(hours=1)
FLOOR_SPEC: Document = {
    "model": {
        "signers": vouching.signers(OWNER),
        "gates": [vouching.gate(PRODUCER)],
        "servers": [{"name": "server", "digest": vouching.SERVER_DIGEST}],
        "volumes": [{"name": "tmp", "kind": "emptyDir"}],
    },
    "runtime": {"upstream": {"port": 8000, "probePaths": ["/health"]}},
}
_KINDS = {k.name: k for k in (ATTESTED_MODEL, CLUSTER_SAFETY_POLICY, SAFETY_POLICY, POD, NAMESPACE)}


def injection_document(digest: str) -> Document:
    """What an installation injects."""
    resources = {"cpu": "50m", "memory": "96Mi"}
    return {
        "image": f"registry.quorate.test:5000/sidecar@sha256:{'5' * 64}",
        "genesisDigest": digest,
        "memberUrl": names.MEMBER_URL,
        "measureResources": resources,
        "sidecarResources": resources,
        "drainSeconds": 5,
    }


def signed_and_gated() -> Document:
    """A model whose evidence holds the floor."""
    return vouching.attested_model(
        FILES,
        bundles=(vouching.bundle(FILES, OWNER),),
        gates=(vouching.gate_result(FILES, PRODUCER),),
    )


@dataclass
class Scene:
    """The world, the time, and what the members last answered."""

    now: datetime = NOW
    committee: Committee = field(default_factory=Committee)
    outcomes: dict[PolicyRef, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        genesis, history = self.committee.genesis, self.committee.history
        store = Store(parse_config(injection_document(genesis.digest_text)), history)
        self.world = World(store, history)
        self.pending = Pending()
        """What a member that heard nothing yet is to be told."""
        self.world.attach(self.pending)
        self.documents: dict[Key, Document] = {}
        self._version = 0

    # Objects --------------------------------------------------------------------------------
    def put(self, document: Document, kind: Kind | None = None) -> set[Key]:
        """Have the API server hold this version of an object, and the watch bring it."""
        self._version += 1
        document = copy.deepcopy(document)
        document["metadata"]["resourceVersion"] = str(self._version)
        kind = kind or _KINDS[document["kind"]]
        metadata = document["metadata"]
        key = Key(kind.name, metadata.get("namespace", ""), metadata["name"])
        self.documents[key] = document
        return self.world.put(kind, document, self.now)

    def label(self, mode: str | None, namespace: str = TEAM) -> set[Key]:
        """Label the namespace, or take the label away."""
        if mode is None:
            return self.world.remove(Key(NAMESPACE.name, "", namespace))
        metadata = {"name": namespace, "uid": "ns", "labels": {NAMESPACE.label_selector: mode}}
        return self.put({"kind": NAMESPACE.name, "metadata": metadata})

    def floor(self, spec: Document | None = None, name: str = "floor", **details: Any) -> None:
        """Put the platform's policy, or another one."""
        self.put(vouching.policy(FLOOR_SPEC if spec is None else spec, name=name, **details))

    def model(self, **changes: Any) -> None:
        """Put the model; ``changes`` are fields of its spec, None takes one away."""
        document = signed_and_gated()
        document["spec"] |= changes
        document["spec"] = {k: v for k, v in document["spec"].items() if v is not None}
        known = self.documents.get(MODEL)
        if known:
            document["metadata"]["generation"] = known["metadata"]["generation"] + 1
            document["status"] = known.get("status")
        self.put(document)

    @property
    def status(self) -> Document:
        """The model's status as the API server holds it."""
        status: Document = self.documents[MODEL].get("status") or {}
        return status

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of one condition."""
        found = next(c for c in self.status["conditions"] if c["type"] == kind)
        return found["status"], found["reason"]

    # The operator ----------------------------------------------------------------------------
    def policy(self, ref: PolicyRef = FLOOR) -> CompiledPolicy:
        """A policy as it compiled."""
        return next(p for p in self.world.compiled() if p.ref == ref)

    def question(self, ref: PolicyRef = FLOOR) -> Question:
        """The model under a policy."""
        known = self.world.get(MODEL)
        assert known is not None
        policy, images = self.policy(ref), self.world.get(policy_key(ref))
        asks = images is not None and policy.server_signers is not None
        return Question(MODEL, known, policy, images.documents if images and asks else "")

    def see(self) -> SeenModel:
        """What the planner gets to see."""
        known = self.world.get(MODEL)
        assert known is not None
        assert known.model is not None
        return SeenModel(
            key=MODEL,
            known=known,
            view=known.model,
            policies=self.world.compiled(),
            broken=self.world.broken(),
            outcomes=self.outcomes,
            enforced=self.world.enforces(TEAM),
            served=self.world.pods.serve(TEAM, "demo"),
            images={
                policy.ref: images
                for policy in self.world.compiled()
                if policy.server_signers and (images := self.world.get(policy_key(policy.ref)))
            },
        )

    def plan(self) -> Plan:
        """Plan for the model, now."""
        return plan_model(self.see(), self.now)

    def carry_out(self, plan: Plan) -> None:
        """Write the statuses a plan asks for, as the API server would."""
        for action in plan.actions:
            if isinstance(action, ApplyStatus):
                document = {**self.documents[action.target.key], "status": action.status}
                self.put(document)

    def settle(self) -> Plan:
        """Plan and write until nothing is left to do; returns the last plan with a write in it."""
        last = Plan()
        for _ in range(5):
            plan = self.plan()
            if not any(isinstance(action, ApplyStatus) for action in plan.actions):
                return last
            self.carry_out(plan)
            last = plan
        raise AssertionError("the plan never ends")

    # The members -----------------------------------------------------------------------------
    def approves(self, ref: PolicyRef = FLOOR, life: timedelta = LIFE) -> None:
        """The members certify the model under a policy."""
        question = self.question(ref)
        policy = question.policy
        envelope = self.committee.certify(FILES, ref, policy.digest, now=self.now, life=life)
        found = (["Signed"] if policy.signers else []) + [g.requirement for g in policy.gates]
        self.takes_in(
            ref,
            self.said(
                policy_digest=policy.digest,
                requirements=tuple(
                    RequirementResult(name=name, status="True", reason="Verified", message="shown")
                    for name in found
                ),
                certificate=envelope.decode(),
                renew_at=self.now + life / 2,
            ),
        )

    def denies(self, ref: PolicyRef = FLOOR, reason: Reason = Reason.GATE_FAILED) -> None:
        """The members say that a gate does not hold."""
        results = (
            RequirementResult(name="Signed", status="True", reason="Verified", message="shown"),
            RequirementResult(
                name="Gate/red-team", status="False", reason=reason.value, message="it failed"
            ),
        )
        digest = self.policy(ref).digest
        again = self.now + timedelta(seconds=15)
        self.takes_in(
            ref,
            self.said(
                policy_digest=digest,
                requirements=results,
                certificate=None,
                renew_at=again,
            ),
        )

    def is_silent(self, ref: PolicyRef = FLOOR) -> None:
        """The members do not answer."""
        previous = self.outcomes.get(ref)
        question = self.question(ref)
        outcome = unanswered(question, "no answer", "MemberUnavailable", previous, self.now, 1.0)
        self.outcomes[ref] = outcome

    def hears(self, what: str) -> None:
        """The members: ``approves``, ``denies`` or is ``silent``."""
        if what == "approves":
            self.approves()
        elif what == "denies":
            self.denies()
        else:
            self.is_silent()

    def said(self, **answer: Any) -> Evaluation:
        """What all members said together."""
        n = len(self.committee.keys)
        return Evaluation(answered=n, members=n, failure="", **answer)

    def takes_in(self, ref: PolicyRef, answer: Evaluation) -> None:
        """The operator takes in an answer."""
        previous = self.outcomes.get(ref)
        history = self.committee.history
        self.outcomes[ref] = answered(self.question(ref), answer, history, self.now, previous)


def verified_scene(committee: Committee | None = None) -> Scene:
    """An enforced namespace, the floor, and a model whose status says that it is certified."""
    scene = Scene(committee=committee or Committee())
    scene.label("enforce")
    scene.floor()
    scene.model()
    scene.approves()
    scene.settle()
    return scene
