"""A small cluster's state, built as the webhook builds it: from documents, through the store."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from quorate.admission.injection import InjectionConfig, parse_config
from quorate.admission.snapshot import Snapshot
from quorate.admission.store import Store
from quorate.certificate import PolicyRef
from quorate.policy.compiled import CompiledPolicy
from tests.fakes.vouching import (
    EXEMPT_DIGEST,
    FETCHER_DIGEST,
    NOW,
    SERVER_DIGEST,
    Committee,
    attested_model,
    model_files,
    policy,
    signer,
    signers,
)

Document = dict[str, Any]
FILES = model_files()
OWNER = signer()
FLOOR: Document = {
    "model": {
        "signers": signers(OWNER),
        "servers": [{"name": "server", "digest": SERVER_DIGEST}],
        "downloaders": [{"name": "fetcher", "digest": FETCHER_DIGEST}],
        "volumes": [{"name": "tmp", "kind": "emptyDir"}],
    },
    "runtime": {"upstream": {"port": 8000, "probePaths": ["/health"]}},
    "exemptImages": [{"digest": EXEMPT_DIGEST, "reason": "runs batch jobs without a model"}],
}


def injection_config(genesis_digest: str, **changes: Any) -> InjectionConfig:
    """What an installation injects."""
    resources = {"cpu": "50m", "memory": "96Mi"}
    document = {
        "image": f"registry.quorate.test:5000/sidecar@sha256:{'5' * 64}",
        "genesisDigest": genesis_digest,
        "memberUrl": "https://quorate-{member}.quorate-system.svc:8443",
        "measureResources": resources,
        "sidecarResources": resources,
        "drainSeconds": 5,
    }
    return parse_config(document | changes)


@dataclass
class World:
    """A store with one platform policy and one certified model, and ways to change it."""

    committee: Committee = field(default_factory=Committee)
    now: datetime = NOW
    injection: Document = field(default_factory=dict)
    """What the installation injects otherwise than usual."""

    def __post_init__(self) -> None:
        genesis = self.committee.genesis
        self.store = Store(
            injection_config(genesis.digest_text, **self.injection), self.committee.history
        )
        self.policies: dict[PolicyRef, CompiledPolicy] = {}

    def put_policy(self, document: Document) -> CompiledPolicy:
        """Add or replace a policy that compiles."""
        compiled = self.store.put_policy(document)
        assert isinstance(compiled, CompiledPolicy), compiled
        self.policies[compiled.ref] = compiled
        return compiled

    def certificate(self, compiled: CompiledPolicy, **claims: Any) -> Document:
        """A certificate for the model under a policy, as an entry of its status."""
        digest = claims.pop("policy_digest", compiled.digest)
        ref = claims.pop("policy_ref", compiled.ref)
        committee = claims.pop("committee", self.committee)
        files = claims.pop("files", FILES)
        envelope = committee.certify(files, ref, digest, now=claims.pop("now", self.now), **claims)
        return {
            "kind": compiled.ref.kind,
            "name": compiled.ref.name,
            "digest": compiled.digest,
            "expiresAt": (self.now + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "envelope": envelope.decode(),
        }

    def put_model(
        self,
        certificates: list[Document] | None = None,
        status: Document | None = None,
        **spec: Any,
    ) -> None:
        """Add or replace the model; by default with a certificate for each policy there is."""
        if certificates is None:
            certificates = [self.certificate(p) for p in self.policies.values()]
        document = attested_model(FILES)
        document["spec"] |= spec
        document["status"] = {"observedGeneration": 1, "certificates": certificates}
        document["status"] |= {"policies": [self.report(p) for p in self.policies.values()]}
        document["status"] |= status or {}
        assert self.store.put_model(document, self.now) is not None

    def report(self, compiled: CompiledPolicy, **requirement: str) -> Document:
        """The operator's report on the model under a policy: its signature holds."""
        signed = {"name": "Signed", "status": "True", "reason": "Verified", "message": ""}
        return {
            "kind": compiled.ref.kind,
            "name": compiled.ref.name,
            "digest": compiled.digest,
            "requirements": [signed | requirement],
        }

    @property
    def snapshot(self) -> Snapshot:
        """What admission sees now."""
        return self.store.snapshot()


def good_world(**injection: Any) -> World:
    """One ClusterSafetyPolicy for every pod, one model certified under it."""
    world = World(injection=injection)
    world.put_policy(policy(FLOOR))
    world.put_model()
    return world
