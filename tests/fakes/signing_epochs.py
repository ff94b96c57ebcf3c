"""A committee over many epochs, and the three kinds of statements that it signs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from quorate import certificate, names, receipt, signed_state
from quorate.certificate import PolicyRef, Statement
from quorate.consensus import history as histories
from quorate.consensus.epoch import Change
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord
from quorate.consensus.thresholds import PRESETS, Thresholds
from quorate.evidence import dsse
from quorate.policy.runtime import CheckRule, RuntimeRules
from quorate.signed_state import PodSubject, PolicyState, StateStatement
from quorate.statements import encode
from tests.fakes import receipts
from tests.fakes.ballots import Committee, Party, digest
from tests.fakes.vouching import NOW, model_files

FILES = model_files()
POLICY = PolicyRef("ClusterSafetyPolicy", None, "floor")
RULES = RuntimeRules(8000, ("/health",), None, 1000, 1000, 60, (CheckRule("secrets", "deny"),))
SESSION = receipts.session_key()
EVIDENCE = digest("e")


class Cluster:
    """Five members of whom one may lie, what they sign, and what somebody knows of their epochs."""

    def __init__(self, thresholds: Thresholds = PRESETS["standard"], prefix: str = "m") -> None:
        self.committee = Committee(thresholds, prefix=prefix)
        self.history = histories.begin(self.committee.epoch)

    @property
    def epoch(self) -> str:
        """The digest of the epoch in force."""
        return self.committee.epoch.digest_text

    def follow(
        self, change: Change, members: int = 5, admins: int = 2, **fields: Any
    ) -> CertifiedRecord:
        """One more epoch, which everybody here hears of."""
        record = self.committee.next_record(change, **fields)
        certified = self.committee.endorse(record, members, admins)
        self.history = histories.extend(self.history, certified, KeySignatures())
        self.committee.open(record)
        return certified

    def quarantine(self, name: str) -> None:
        """``name`` was found lying."""
        seats = self.committee.seats(**{name: {"quarantined": True}})
        self.follow(Change.QUARANTINE, admins=0, seats=seats, evidence=EVIDENCE)

    def rotate(self) -> None:
        """Every member gets a new key."""
        fresh = {name: Party() for name in self.committee.names}
        seats = self.committee.seats(
            **{name: {"key": party.identity.public_key.pem} for name, party in fresh.items()}
        )
        self.follow(Change.MEMBERSHIP, seats=seats)
        self.committee.parties = fresh

    def change_policies(self) -> CertifiedRecord:
        """A record that changes nobody."""
        number = self.committee.epoch.record.number
        return self.follow(Change.POLICIES, policies=digest("ab"[number % 2]))

    def sign(self, statement: msgspec.Struct, kind: str, signers: Iterable[str]) -> bytes:
        """An envelope by these members, with the keys they have now."""
        keys = [self.committee.parties[name].identity for name in signers]
        return dsse.sign(encode(statement), kind, keys)

    def certificate(self, *signers: str, **changes: Any) -> bytes:
        """A certificate of the epoch in force by these members."""
        statement = Statement(
            cluster_id="cluster-1",
            epoch=self.epoch,
            namespace="team-a",
            model="demo",
            manifest_digest=FILES.digest,
            policy=POLICY,
            policy_digest=digest("1"),
            evidence=(),
            issued_at=NOW,
            expires_at=NOW + timedelta(minutes=30),
        )
        changed = msgspec.structs.replace(statement, **changes)
        return self.sign(changed, names.CERTIFICATE_TYPE, signers)

    def receipt(self, *signers: str, **changes: Any) -> bytes:
        """A receipt likewise."""
        statement = receipts.receipt_statement(SESSION, **({"epoch": self.epoch} | changes))
        return self.sign(statement, names.RECEIPT_TYPE, signers)

    def state(self, *signers: str, **changes: Any) -> bytes:
        """A state likewise, with a certificate that all of them signed."""
        whole = self.certificate(*self.committee.names)
        statement = StateStatement(
            cluster_id="cluster-1",
            epoch=self.epoch,
            pod=PodSubject("uid", "team-a", "demo-0", "demo"),
            manifest_digest=FILES.digest,
            rules=RULES,
            policies=(PolicyState(POLICY, digest("1"), whole.decode()),),
            revoked=(),
            denial=None,
            issued_at=NOW,
            expires_at=NOW + timedelta(minutes=10),
        )
        changed = msgspec.structs.replace(statement, **changes)
        return self.sign(changed, names.STATE_TYPE, signers)


def see_certificate(envelope: bytes, history: History) -> object:
    """Verify a certificate."""
    return certificate.verify(envelope, history, NOW)


def see_receipt(envelope: bytes, history: History) -> object:
    """Verify a receipt by its pod."""
    return receipt.verify(
        envelope,
        history,
        pod_uid=receipts.POD_UID,
        session_key=SESSION.public_key.pem,
        manifest_digest=receipts.FILES.digest,
        now=NOW,
    )


def see_state(envelope: bytes, history: History) -> object:
    """Verify one member's word on a pod."""
    return signed_state.read(envelope, history, "uid", NOW)


@dataclass(frozen=True)
class Kind:
    """A kind of statement, how it is verified, and how many of five members it needs and bears."""

    sign: Callable[..., bytes]
    see: Callable[[bytes, History], object]
    needed: int
    most: int = 5


KINDS = (
    Kind(Cluster.certificate, see_certificate, 4),
    Kind(Cluster.receipt, see_receipt, 4),
    Kind(Cluster.state, see_state, 1, 1),
)
