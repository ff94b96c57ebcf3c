"""A whole installation in memory, as the chart and the install Job leave it."""

import base64
import copy
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quorate import names
from quorate.admission import floor
from quorate.admission.injection import parse_config
from quorate.api.v1alpha1 import KINDS
from quorate_cli.cluster.kinds import Document
from quorate_cli.doctor.examine import examine
from quorate_cli.doctor.finding import Finding
from quorate_cli.doctor.survey import Survey, survey
from quorate_io.authority import issue_leaf, make_authority
from tests.unit.cli.fake_cluster import INJECTION, FakeCluster, json_object

ROOT = Path(__file__).resolve().parents[3]
LEAF_LIFE = timedelta(days=30)


class FakeInstallation(FakeCluster):
    """A cluster in which ``doctor`` finds nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reader.put(*definitions(), *(deployment(c) for c in ("operator", "webhook")))
        self.reader.put(stateful_set("member-0"))
        self.put_webhooks()
        self.put_floor_policies()
        pod = self.pod(gated=False)
        pod["status"] = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.reader.put(pod)

    def put_webhooks(self, *, life: timedelta = LEAF_LIFE, host: str = "") -> None:
        """The chart's configurations with an authority, and a leaf by it."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority = make_authority("quorate webhook", key, not_before=self.now - timedelta(days=1))
        pem = authority.public_bytes(serialization.Encoding.PEM)
        host = host or f"{names.WEBHOOK_SERVICE}.{names.NAMESPACE}.svc"
        leaf = issue_leaf(authority, key, [host], now=self.now, life=life)
        for document in chart_documents("webhooks.yaml"):
            for webhook in document["webhooks"]:
                webhook["clientConfig"]["caBundle"] = base64.b64encode(pem).decode()
            self.reader.put(document)
        self.reader.put(
            {
                "kind": "Secret",
                "metadata": {"name": "quorate-webhook-tls", "namespace": names.NAMESPACE},
                "data": {"tls.crt": base64.b64encode(leaf.certificate_pem).decode()},
            }
        )

    def put_floor_policies(self, **changes: Any) -> None:
        """The floor as this version generates it."""
        genesis = self.committee.genesis
        config = parse_config(json_object(INJECTION) | {"genesisDigest": genesis.digest_text})
        made = floor.FloorConfig(config, **({"previous_image": config.image} | changes))
        for document in floor.policies(made):
            self.reader.put(as_served(document))

    def survey(self) -> Survey:
        """What doctor reads."""
        return survey(self.reader, self.now)

    def findings(self) -> dict[str, Finding]:
        """What doctor says of everything that is not in order, by check."""
        return {f.check: f for f in examine(self.survey()) if f.state != "ok"}


def chart_documents(name: str) -> list[Document]:
    """A template of the chart without what Helm fills in."""
    return copy.deepcopy(_chart_documents(name))


@cache
def _chart_documents(name: str) -> list[Document]:
    text = (ROOT / "charts/quorate/templates" / name).read_text("utf-8")
    lines = [line for line in text.splitlines() if "{{" not in line]
    return list(yaml.safe_load_all("\n".join(lines)))


def definitions() -> list[Document]:
    """The CRDs as the API server serves them."""
    return copy.deepcopy(_definitions())


@cache
def _definitions() -> list[Document]:
    found = []
    for kind in KINDS:
        path = ROOT / "crds" / f"{kind.plural}.{names.GROUP}.yaml"
        document = yaml.safe_load(path.read_text("utf-8"))
        document["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
        found.append(document)
    return found


def deployment(component: str, ready: int = 1, wanted: int = 1, version: str = "0.1") -> Document:
    """A Deployment of the chart."""
    return {
        "kind": "Deployment",
        "metadata": {
            "name": f"quorate-{component}",
            "namespace": names.NAMESPACE,
            "generation": 1,
            "labels": {"app.kubernetes.io/version": version},
        },
        "spec": {
            "replicas": wanted,
            "template": {"spec": {"containers": [{"image": f"x/{component}@sha256:{'1' * 64}"}]}},
        },
        "status": {"observedGeneration": 1, "replicas": wanted, "readyReplicas": ready},
    }


def stateful_set(member: str, ready: int = 1) -> Document:
    """A member's StatefulSet of the chart."""
    found = deployment(member, ready)
    found["kind"] = "StatefulSet"
    found["metadata"]["labels"][names.MEMBER_LABEL] = member
    found["spec"]["serviceName"] = found["metadata"]["name"]
    return found


def as_served(document: Document) -> Document:
    """With what the API server adds by itself."""
    spec = dict(document["spec"])
    if "matchConstraints" in spec:
        rules = [rule | {"scope": "*"} for rule in spec["matchConstraints"]["resourceRules"]]
        spec["matchConstraints"] = {
            "matchPolicy": "Equivalent",
            "namespaceSelector": {},
            "objectSelector": {},
            "resourceRules": rules,
        }
    return document | {"spec": spec}
