"""An operator that keeps the SafetyCommittee, with an API server and members in memory."""

import base64
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from prometheus_client import CollectorRegistry

from quorate.admission.injection import parse_config
from quorate.admission.store import Store
from quorate.api.v1alpha1.safety_committee import OBJECT, SafetyCommitteeStatus
from quorate.canonical import canonical
from quorate.consensus import history as histories
from quorate.consensus.epoch import Change, EpochRecord
from quorate.consensus.history import History
from quorate.consensus.spare import Spare
from quorate.consensus.thresholds import PRESETS
from quorate.errors import QuorateError, Unavailable
from quorate.keys import LocalSigner
from quorate_io.operator_client import OperatorClient
from quorate_operator.alerts import Alerts
from quorate_operator.committee import Committee
from quorate_operator.committee_alarm import CommitteeAlarm
from quorate_operator.committee_keeper import CommitteeKeeper
from quorate_operator.committee_members import CommitteeMembers
from quorate_operator.effects.events import Events
from quorate_operator.kinds import SAFETY_COMMITTEE
from quorate_operator.metrics import Metrics
from quorate_operator.spares import Spares
from quorate_operator.world import World
from tests.fakes import ballots
from tests.fakes.ballots import digest
from tests.fakes.vouching import NOW
from tests.unit.operator.chain_members import ChainMembers
from tests.unit.operator.fake_api import FakeApi, FixedClock, Holding, Monotonic
from tests.unit.operator.scene import injection_document

Document = dict[str, Any]
PATH = SAFETY_COMMITTEE.path(name=OBJECT)


class Stand:
    """Five members of whom four must sign, and the object as the installation makes it."""

    def __init__(self, preset: str = "standard") -> None:
        self.committee = ballots.Committee(PRESETS[preset])
        self.genesis = self.committee.epoch
        self.members = ChainMembers(self.committee)
        self.api, self.holding, self.monotonic = FakeApi(), Holding(), Monotonic()
        metadata = {"name": OBJECT, "generation": 1}
        self.api.put(PATH, {"metadata": metadata, "spec": {"proposals": []}})
        self.spares = (Spare("m5", "zone-m5"), Spare("m6", "zone-m6"))
        self.waiting: dict[str, ed25519.Ed25519PrivateKey] = {}
        """Spares that answer, and their keys."""
        self.asked_spares: list[str] = []
        self.start()

    async def key_of(self, name: str, number: int) -> str:
        """What a spare answers."""
        self.asked_spares.append(name)
        if name not in self.waiting:
            raise Unavailable("nobody is there")
        return LocalSigner(self.waiting[name]).public_key.pem

    def start(self) -> None:
        """A new operator process: it knows the genesis, and nothing else."""
        history = histories.begin(self.genesis)
        store = Store(parse_config(injection_document(self.genesis.digest_text)), history)
        self.world = World(store, history)
        clock, metrics = FixedClock(NOW), Metrics(CollectorRegistry())
        client = self.asked
        self.relays = Committee(client, self.world, clock, metrics, self.monotonic)
        self.events = Events(self.api, self.holding, "op-0", clock, self.monotonic, metrics)
        alerts = Alerts(self.api, self.holding, self.events, clock, self.monotonic, metrics)
        self.keeper = CommitteeKeeper(
            self.api,
            self.holding,
            CommitteeMembers(client),
            self.relays,
            self.world,
            self.take,
            self.events,
            CommitteeAlarm(alerts, self.monotonic),
            Spares(self.spares, self.key_of, self.monotonic),
            clock,
            self.monotonic,
        )
        self.hear()

    @property
    def asked(self) -> OperatorClient:
        """Through what the operator reaches the members."""
        return self.members.client

    def take(self, history: History) -> None:
        """As the follower does: only what is longer."""
        if history.head.record.number > self.world.history.head.record.number:
            self.world.follow(history)

    def hear(self) -> None:
        """Relays of members that are there were heard."""
        self.relays.follow()
        for name, relay in self.relays.relays.items():
            away = self.members.all[name].away
            relay._failing_since = self.monotonic.time if away else None
            relay._heard_at = relay._heard_at if away else self.monotonic.time

    async def look(self, times: int = 1) -> str:
        """Look so often, with time between; the last error."""
        said = ""
        for _ in range(times):
            self.monotonic.time += 61.0
            self.hear()
            try:
                await self.keeper.look()
                said = ""
            except QuorateError as error:
                said = str(error)
        return said

    # What people do ---------------------------------------------------------------------------
    def record(self, char: str = "b", change: Change = Change.POLICIES, **more: Any) -> EpochRecord:
        """One that may follow."""
        if change is Change.POLICIES:
            more = {"policies": digest(char)} | more
        return self.committee.next_record(change, **more)

    def proposal(
        self, name: str, record: EpochRecord, admins: int = 2, evidence: str = ""
    ) -> Document:
        """As the command line writes it."""
        signed = self.committee.endorse(record, 0, admins).admins
        return {
            "name": name,
            "record": canonical(msgspec.to_builtins(record)).decode(),
            "admins": [
                {"signer": one.signer, "signature": base64.b64encode(one.signature).decode()}
                for one in signed
            ],
            "evidence": evidence,
        }

    def propose(self, *proposals: Document) -> None:
        """Have exactly these in the spec."""
        document = self.api.objects[PATH]
        self.api.put(PATH, document | {"spec": {"proposals": list(proposals)}})

    # What is seen -----------------------------------------------------------------------------
    @property
    def status(self) -> SafetyCommitteeStatus:
        """As it stands in the API server."""
        return SafetyCommitteeStatus.model_validate(self.api.objects[PATH].get("status") or {})

    def phase(self, name: str) -> str:
        """Of a proposal."""
        return next(one.phase for one in self.status.proposals if one.name == name)

    def message(self, name: str) -> str:
        """What is in its way."""
        return next(one.message for one in self.status.proposals if one.name == name)

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason."""
        return next((c.status, c.reason) for c in self.status.conditions if c.type == kind)

    def incidents(self) -> list[Document]:
        """SafetyIncidents."""
        return [d for p, d in self.api.objects.items() if "/safetyincidents/" in p]

    async def said(self) -> list[tuple[str, str]]:
        """Type and reason of all Events about the committee."""
        while not self.events._posted.empty():
            await self.events.emit(self.events._posted.get_nowait())
        found = [d for p, d in self.api.objects.items() if "/events/" in p]
        return [(e["type"], e["reason"]) for e in found if e["regarding"]["kind"] != "x"]
