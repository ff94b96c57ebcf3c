"""A small cluster as a member sees it: one floor, one signed and gated model, one pod."""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from quorate import names
from quorate.errors import QuorateError
from quorate.keys import LocalSigner
from quorate_consensus.epochs import Epochs
from quorate_consensus.issuing import Committee, vote
from quorate_consensus.relay import Relay, read_batch, read_model, read_policy
from quorate_io.member_api import CERTIFICATES_FIELD, ObservedBatch, ObservedContainer, ObservedPod
from tests.fakes import vouching
from tests.fakes.vouching import NOW

POD = ObservedPod(
    uid="pod-uid-1",
    namespace="team-a",
    name="chat-0",
    labels={names.MODEL_LABEL: "demo", "app": "chat"},
    node="node-1",
    containers=(
        *(
            ObservedContainer(name=name, init=True, asked=vouching.SIDECAR_DIGEST)
            for name in (names.MEASURE_CONTAINER, names.SIDECAR_CONTAINER)
        ),
        ObservedContainer(name="server", asked=vouching.SERVER_DIGEST),
    ),
)
FILES = vouching.model_files()


class Unread:
    """A meter that nobody reads."""

    def looked_at(self, verified: bool) -> None:
        """Ignore."""


class ManualClock:
    """Says what it was told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        """The time that was set."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


@dataclass
class Scene:
    """Parties and documents; every document can be replaced before it is relayed."""

    owner: LocalSigner = field(default_factory=vouching.signer)
    producer: LocalSigner = field(default_factory=vouching.signer)
    members: vouching.Committee = field(default_factory=vouching.Committee)
    certificate_life: int = 3600
    state_life: int = 600

    @property
    def committee(self) -> Committee:
        """The member's side of the committee."""
        return Committee(
            Epochs(self.members.genesis),
            self.members.keys[0],
            self.certificate_life,
            self.state_life,
        )

    def floor(self, **runtime: Any) -> dict[str, Any]:
        """A cluster policy that asks for a signature and a gate, and names the port."""
        return vouching.policy(
            {
                "model": {
                    "signers": vouching.signers(self.owner),
                    "gates": [vouching.gate(self.producer)],
                    "servers": [{"name": "server", "digest": vouching.SERVER_DIGEST}],
                },
                "runtime": {"upstream": {"port": 8000}} | runtime,
            }
        )

    def model(self, **gate_details: Any) -> dict[str, Any]:
        """The model, signed and gated."""
        return vouching.attested_model(
            FILES,
            bundles=(vouching.bundle(FILES, self.owner),),
            gates=(vouching.gate_result(FILES, self.producer, **gate_details),),
        )

    def collected(
        self, model: dict[str, Any], *policies: dict[str, Any], now: datetime = NOW
    ) -> dict[str, Any]:
        """The model with the certificates that the operator collected for it, if it holds them."""
        found = []
        for policy in policies or (self.floor(),):
            # One that cannot be read gets no certificate, as it would get none of a member.
            with contextlib.suppress(QuorateError):
                observed = read_model(model)
                found.append(vote(self.committee, read_policy(policy), observed, now).envelope)
        return model | {CERTIFICATES_FIELD: [envelope for envelope in found if envelope]}

    def batch(self, **fields: Any) -> ObservedBatch:
        """A whole session in one batch: the floor, the model and the pod unless said otherwise."""
        policies = fields.get("policies", (self.floor(),))
        whole: dict[str, Any] = {
            "session": "s",
            "sequence": 1,
            "reset": True,
            "complete": True,
            "policies": policies,
            "models": (self.collected(self.model(), *policies),),
            "pods": (POD,),
        }
        return ObservedBatch(**(whole | fields))


def relayed(*batches: ObservedBatch, relay: Relay | None = None, now: datetime = NOW) -> Relay:
    """A relay that accepted these batches, each through its JSON form."""
    relay = relay or Relay()
    for batch in batches:
        relay.accept(read_batch(msgspec.json.encode(batch)), now)
    return relay
