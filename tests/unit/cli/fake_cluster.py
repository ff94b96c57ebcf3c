"""A cluster in memory: a reader over documents, and a tenant whose model is signed and certified.

Signatures and certificates are real; only the API server is made up.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from quorate import names
from quorate.admission import mutate
from quorate.admission.injection import parse_config
from quorate.admission.store import Store
from quorate.api.v1alpha1 import ClusterSafetyPolicy, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_policy import AnyPolicy
from quorate.genesis import encode
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document, Kind
from quorate_cli.cluster.reader import NotPermitted
from quorate_cli.explain.chain import explain
from quorate_cli.explain.explanation import Explanation, Refusal
from quorate_cli.explain.facts import gather_named, gather_template
from quorate_cli.explain.pod_file import pod_of
from quorate_cli.explain.subject import parse_subject
from quorate_cli.explain.target import Target
from tests.fakes import vouching
from tests.fakes.vouching import NOW, SERVER_DIGEST, Committee, attested_model, model_files, signer

NAMESPACE = "team-a"
SERVER = f"registry.quorate.test:5000/server@{SERVER_DIGEST}"
FILES = model_files()


@dataclass
class FakeReader:
    """A :class:`quorate_cli.cluster.reader.Reader` over documents."""

    objects: dict[tuple[str, str, str], Document] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    """Kinds, or ``Kind/name``, that the user may not read."""
    served: str = "v1.36.3"
    now: datetime = NOW
    ahead: timedelta = timedelta()

    def put(self, *documents: Document) -> None:
        """Add or replace objects."""
        for document in documents:
            metadata = document["metadata"]
            key = (document["kind"], metadata.get("namespace", ""), metadata["name"])
            self.objects[key] = document

    def drop(self, kind: str, name: str) -> None:
        """Forget an object."""
        self.objects = {k: v for k, v in self.objects.items() if (k[0], k[2]) != (kind, name)}

    def get(self, kind: Kind, name: str, namespace: str = "") -> Document | None:
        """See Reader."""
        if self.forbidden & {kind.name, f"{kind.name}/{name}"}:
            raise NotPermitted("get", kind, namespace, name)
        found = self.objects.get((kind.name, namespace if kind.namespaced else "", name))
        return copy.deepcopy(found)

    def each(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Iterator[Document]:
        """See Reader. Label selectors: only a key, as the commands use them."""
        if kind.name in self.forbidden:
            raise NotPermitted("list", kind, namespace)
        for (name, where, _), document in list(self.objects.items()):
            if name == kind.name and namespace in ("", where or namespace):
                if labels and labels not in (document["metadata"].get("labels") or {}):
                    continue
                yield copy.deepcopy(document)

    def version(self) -> str:
        """See Reader."""
        return self.served

    def clock(self) -> tuple[datetime, datetime]:
        """See Reader."""
        return self.now + self.ahead, self.now


@dataclass
class FakeCluster:
    """An installation and one tenant in good order; tests spoil what they are about."""

    reader: FakeReader = field(default_factory=FakeReader)
    committee: Committee = field(default_factory=Committee)
    owner: Any = field(default_factory=signer)
    lab: Any = field(default_factory=signer)
    now: datetime = NOW

    def __post_init__(self) -> None:
        genesis = self.committee.genesis
        self.reader.put(
            config_map(
                "quorate-genesis",
                {"genesis.json": encode(genesis).decode(), "digest": genesis.digest_text},
            ),
            config_map("quorate-injection", {"injection.json": INJECTION}),
            {
                "kind": "Namespace",
                "metadata": {"name": NAMESPACE, "labels": {names.MODE_LABEL: "enforce"}},
            },
        )
        self.put_floor()
        self.put_model()

    def put_floor(self, spec: Document | None = None, **claims: Any) -> None:
        """Add or replace the platform's policy."""
        self.reader.put(vouching.policy(self.floor() | (spec or {}), **claims))

    def floor(self) -> Document:
        """A policy that asks for a signature and a gate."""
        return {
            "model": {
                "signers": vouching.signers(self.owner),
                "gates": [vouching.gate(self.lab)],
                "servers": [{"name": "server", "digest": SERVER_DIGEST}],
                "volumes": [{"name": "tmp", "kind": "emptyDir"}],
            },
            "runtime": {"upstream": {"port": 8000, "probePaths": ["/health"]}},
        }

    def policies(self) -> list[CompiledPolicy]:
        """The policies that compile."""
        documents = [d for k, d in self.reader.objects.items() if k[0].endswith("SafetyPolicy")]
        kinds_: dict[str, type[AnyPolicy]] = {
            "SafetyPolicy": SafetyPolicy,
            "ClusterSafetyPolicy": ClusterSafetyPolicy,
        }
        return [compile_policy(read(kinds_[d["kind"]], d)) for d in documents]

    def put_model(
        self,
        *,
        certified: bool = True,
        spec: Document | None = None,
        status: Document | None = None,
        **evidence: Any,
    ) -> None:
        """Add or replace the model: signed, gated, reported on and certified under every policy."""
        given = {
            "bundles": (vouching.bundle(FILES, self.owner),),
            "gates": (
                vouching.gate_result(FILES, self.lab, finished_at=self.now - timedelta(hours=1)),
            ),
        } | evidence
        document = attested_model(FILES, **given)
        document["spec"] |= spec or {}
        compiled = self.policies()
        document["status"] = {
            "observedGeneration": 1,
            "conditions": [condition("Ready", "True", "Verified")],
            "policies": [self.report(policy) for policy in compiled],
            "certificates": [self.certificate(policy) for policy in compiled] if certified else [],
        } | (status or {})
        self.reader.put(document)

    def report(self, policy: CompiledPolicy, status: str = "True") -> Document:
        """The operator's report under a policy."""
        asked = ["Signed"] if policy.signers else []
        asked += [gate.requirement for gate in policy.gates]
        return {
            "kind": policy.ref.kind,
            "name": policy.ref.name,
            "digest": policy.digest,
            "requirements": [
                {"name": name, "status": status, "reason": "Verified", "message": ""}
                for name in asked
            ],
        }

    def certificate(self, policy: CompiledPolicy, **claims: Any) -> Document:
        """A certificate as the status holds it."""
        envelope = self.committee.certify(
            FILES, policy.ref, policy.digest, **{"now": self.now} | claims
        )
        return {
            "kind": policy.ref.kind,
            "name": policy.ref.name,
            "digest": policy.digest,
            "expiresAt": stamp(self.now + timedelta(minutes=30)),
            "envelope": envelope.decode(),
        }

    def pod(self, *, injected: bool = True, gated: bool = True, **metadata: Any) -> Document:
        """A model pod; ``injected`` as the webhook leaves it."""
        pod = bare_pod()
        pod["metadata"] |= metadata
        if injected:
            genesis = self.committee.genesis
            document = json_object(INJECTION) | {"genesisDigest": genesis.digest_text}
            config = parse_config(document)
            snapshot = Store(config, self.committee.history).snapshot()
            pod = copy.deepcopy(mutate.apply(pod, mutate.patch(pod, "model", snapshot.injection)))
        if not gated:
            del pod["spec"]["schedulingGates"]
        return pod

    def explain(self, subject: str = "pod/chat") -> Explanation:
        """What the command would explain of an object."""
        facts = gather_named(self.reader, parse_subject(subject, NAMESPACE))
        return explain(facts, self.now)

    def explain_file(self, pod: Document, namespace: str = NAMESPACE) -> Explanation:
        """What the command would explain of a manifest."""
        target = Target("file", namespace, "pod.yaml")
        return explain(gather_template(self.reader, pod_of(pod, namespace), target), self.now)


def answers(explanation: Explanation) -> dict[str, str]:
    """Each question's answer."""
    return {decision.question: decision.answer for decision in explanation.decisions}


def refusals(explanation: Explanation, question: str = "run") -> dict[str, Refusal]:
    """The refusals of one decision by reason."""
    decision = next(d for d in explanation.decisions if d.question == question)
    return {refusal.reason: refusal for refusal in decision.refusals}


def bare_pod() -> Document:
    """A model pod as its owner writes it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "chat",
            "namespace": NAMESPACE,
            "labels": {"app": "chat", names.MODEL_LABEL: "demo"},
        },
        "spec": {
            "containers": [
                {
                    "name": "server",
                    "image": SERVER,
                    "args": ["--model", "/models", "--host", "127.0.0.1", "--port", "8000"],
                    "ports": [{"name": "http", "containerPort": 8000}],
                    "volumeMounts": [{"name": "model", "mountPath": "/models", "readOnly": True}],
                }
            ],
            "volumes": [{"name": "model", "image": {"reference": vouching.MODEL_IMAGE}}],
        },
    }


def config_map(name: str, data: dict[str, str]) -> Document:
    """A ConfigMap of the installation."""
    metadata = {"name": name, "namespace": names.NAMESPACE}
    return {"kind": kinds.CONFIG_MAP.name, "metadata": metadata, "data": data}


def condition(kind: str, status: str, reason: str, message: str = "") -> Document:
    """A condition of a status."""
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": stamp(NOW),
    }


def stamp(instant: datetime) -> str:
    """RFC 3339 as the API server writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_object(text: str) -> Document:
    """A JSON text as an object."""
    document: Document = json.loads(text)
    return document


INJECTION = json.dumps(
    {
        "image": f"registry.quorate.test:5000/sidecar@sha256:{'5' * 64}",
        "memberUrl": "https://quorate-{member}.quorate-system.svc:8443",
        "measureResources": {"cpu": "50m", "memory": "96Mi"},
        "sidecarResources": {"cpu": "50m", "memory": "96Mi"},
        "drainSeconds": 5,
    }
)
