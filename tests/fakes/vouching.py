"""Keys, signed models, gate results and the objects that hold them, for tests.

The signatures are real; only the parties are made up. Documents are plain JSON, as the API server
would give them.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from quorate import certificate, names
from quorate.certificate import PolicyRef, Statement
from quorate.consensus import epoch as epochs
from quorate.consensus import history as histories
from quorate.consensus.epoch import RECORD_TAG, Change, Epoch, Seat
from quorate.consensus.history import History
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import CertifiedRecord, Endorsement
from quorate.consensus.thresholds import Thresholds
from quorate.evidence import dsse
from quorate.evidence.image_signing import sign_image
from quorate.evidence.intoto import GateRun, Outcome, gate_statement
from quorate.evidence.model_signing import BUNDLE_TYPE
from quorate.evidence.model_signing import PREDICATE_TYPE as OMS_TYPE
from quorate.genesis import first_epoch
from quorate.keys import LocalSigner
from quorate.manifest import Manifest, manifest
from quorate.predicates import PredicateUri as Uri

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SUITE, DATASET, HARNESS = (f"sha256:{char * 64}" for char in "123")
JUDGES_DIGEST = f"sha256:{'4' * 64}"
SERVER_DIGEST = f"sha256:{'a' * 64}"
SIDECAR_DIGEST = f"sha256:{'d' * 64}"
EXEMPT_DIGEST = f"sha256:{'e' * 64}"
FETCHER_DIGEST = f"sha256:{'f' * 64}"
MODEL_IMAGE = f"registry.quorate.test:5000/models/demo@sha256:{'b' * 64}"
OWNERS = {
    party: {"name": f"{party} team", "contact": f"{party}@example.com"}
    for party in ("model", "safety", "infra")
}


def signer() -> LocalSigner:
    """A fresh ECDSA P-256 key, as model owners and test producers have."""
    return LocalSigner(ec.generate_private_key(ec.SECP256R1()))


def member_signer() -> LocalSigner:
    """A fresh Ed25519 vote key."""
    return LocalSigner(ed25519.Ed25519PrivateKey.generate())


def model_files(seed: str = "0") -> Manifest:
    """The manifest of a small model; another ``seed``, another model."""
    return manifest([("config.json", seed * 64), ("model.safetensors", "c" * 64)])


def bundle(files: Manifest, key: LocalSigner) -> str:
    """An OMS bundle over ``files``, as the reference library writes it."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": files.oms_root}}],
        "predicateType": OMS_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [],
            },
            "resources": [
                {"name": name, "algorithm": "sha256", "digest": files.files[name]}
                for name in sorted(files.files)
            ],
        },
    }
    payload = json.dumps(statement).encode()
    signature = key.sign(dsse.pae(names.INTOTO_TYPE, payload))
    return json.dumps(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": ""}, "tlogEntries": []},
            "dsseEnvelope": {
                "payloadType": names.INTOTO_TYPE,
                "payload": base64.b64encode(payload).decode(),
                "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
            },
        }
    )


def image_signature(digest: str, *keys: LocalSigner) -> list[dict[str, str]]:
    """``signatures`` of a server, one by each key, as cosign writes them."""
    bundles = [sign_image(digest, key).decode() for key in keys]
    return [{"name": f"s{i}", "bundle": bundle} for i, bundle in enumerate(bundles)]


def gate_result(
    files: Manifest,
    *keys: LocalSigner,
    result: Outcome = Outcome.PASSED,
    finished_at: datetime = NOW - timedelta(hours=1),
    suite: str = SUITE,
) -> str:
    """A signed test result about ``files``."""
    failed = () if result is Outcome.PASSED else ("t1",)
    run = GateRun(
        result=result,
        suite=suite,
        dataset=DATASET,
        harness=HARNESS,
        finished_at=finished_at,
        passed_tests=("t0",),
        failed_tests=failed if result is Outcome.FAILED else (),
        warned_tests=failed if result is Outcome.WARNED else (),
    )
    statement = gate_statement(run, files.digest)
    return dsse.sign(statement, names.INTOTO_TYPE, list(keys)).decode()


def evidence(files: Manifest, kind: Uri, value: dict[str, Any], *keys: LocalSigner) -> str:
    """Any predicate about ``files``, signed: also one that no honest producer would make."""
    subject = {"name": names.MANIFEST_SUBJECT, "digest": {"sha256": files.digest[7:]}}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": str(kind),
        "predicate": value,
    }
    return dsse.sign(json.dumps(statement).encode(), names.INTOTO_TYPE, list(keys)).decode()


def signers(*keys: LocalSigner, threshold: int = 1) -> dict[str, Any]:
    """A ``Signers`` document."""
    named = [{"name": f"key-{i}", "publicKey": k.public_key.pem} for i, k in enumerate(keys)]
    return {"threshold": threshold, "keys": named}


def gate(*producers: LocalSigner, name: str = "red-team", threshold: int = 1) -> dict[str, Any]:
    """A ``Gate`` document that accepts SUITE for a day."""
    return {
        "name": name,
        "suites": [SUITE],
        "producers": signers(*producers, threshold=threshold),
        "maxAgeSeconds": 86_400,
    }


def policy(
    spec: dict[str, Any] | None = None,
    *,
    name: str = "floor",
    namespace: str | None = None,
    selector: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A policy document: cluster-wide unless ``namespace`` is given."""
    metadata = {"name": name, "uid": f"uid-{name}", "generation": 1}
    return {
        "apiVersion": names.API_VERSION,
        "kind": "SafetyPolicy" if namespace else "ClusterSafetyPolicy",
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
        "spec": {"selector": selector or {}, "owners": OWNERS} | (spec or {}),
    }


def attested_model(
    files: Manifest,
    *,
    bundles: tuple[str, ...] = (),
    gates: tuple[str, ...] = (),
    name: str = "demo",
    namespace: str = "team-a",
) -> dict[str, Any]:
    """An AttestedModel document whose bytes are in an image volume."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "AttestedModel",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 1},
        "spec": {
            "manifestDigest": files.digest,
            "source": {"image": {"reference": MODEL_IMAGE}},
            "owners": OWNERS,
            "signatures": [{"name": f"s{i}", "bundle": b} for i, b in enumerate(bundles)],
            "evidence": [{"name": f"e{i}", "envelope": e} for i, e in enumerate(gates)],
        },
    }


def seats(keys: Sequence[LocalSigner]) -> tuple[Seat, ...]:
    """Seats member-0, member-1, … with these keys."""
    return tuple(
        Seat(f"member-{i}", key.public_key.pem, f"zone-{i}", JUDGES_DIGEST)
        for i, key in enumerate(keys)
    )


@dataclass
class Committee:
    """A committee of ``n`` members that signs what it is told to."""

    n: int = 1
    cluster_id: str = "cluster-1"
    keys: list[LocalSigner] = field(default_factory=list)
    thresholds: Thresholds | None = None
    """All must sign everything if it is None."""
    signing: int | None = None
    """How many sign certificates, the first of them; all if it is None."""

    def __post_init__(self) -> None:
        self.keys = self.keys or [member_signer() for _ in range(self.n)]

    @cached_property
    def genesis(self) -> Epoch:
        """The committee's genesis."""
        n = len(self.keys)
        thresholds = self.thresholds or Thresholds(n, n, n, 0)
        return first_epoch(self.cluster_id, seats(self.keys), thresholds)

    @cached_property
    def history(self) -> History:
        """What somebody knows who was given the genesis."""
        return histories.begin(self.genesis)

    def without(self, index: int) -> History:
        """What somebody knows who heard that this member was found lying."""
        return histories.extend(self.history, self.quarantine(index), KeySignatures())

    def quarantine(self, index: int) -> CertifiedRecord:
        """The record that takes this member's vote, by all."""
        before = self.genesis.record
        lying = msgspec.structs.replace(before.seats[index], quarantined=True)
        record = msgspec.structs.replace(
            before,
            number=1,
            previous=self.genesis.digest_text,
            change=Change.QUARANTINE,
            reason="it lied",
            seats=(*before.seats[:index], lying, *before.seats[index + 1 :]),
            evidence=f"sha256:{'5' * 64}",
        )
        data = RECORD_TAG + epochs.encode(record)
        signatures = tuple(
            Endorsement(seat.name, key.sign(data))
            for seat, key in zip(before.seats, self.keys, strict=True)
        )
        return CertifiedRecord(record, signatures, ())

    def certify(
        self,
        files: Manifest,
        policy_ref: PolicyRef,
        policy_digest: str,
        *,
        model: str = "demo",
        namespace: str = "team-a",
        now: datetime = NOW,
        life: timedelta = timedelta(minutes=30),
        epoch: str = "",
        **images: Any,
    ) -> bytes:
        """A certificate that ``files`` hold the policy; of the genesis if no ``epoch`` is said."""
        statement = Statement(
            cluster_id=self.cluster_id,
            epoch=epoch or self.genesis.digest_text,
            namespace=namespace,
            model=model,
            manifest_digest=files.digest,
            policy=policy_ref,
            policy_digest=policy_digest,
            evidence=(),
            issued_at=now,
            expires_at=now + life,
            **images,
        )
        return certificate.issue(statement, self.keys[: self.signing])
