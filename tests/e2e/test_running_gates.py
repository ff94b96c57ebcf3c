"""A suite runs as a Job against a candidate; what it publishes admits the model, or stops it."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quorate.keys import LocalSigner
from quorate_evaluation.digests import suite_digest
from quorate_evaluation.suites.over_refusal import OverRefusal
from tests.e2e.client import Client
from tests.e2e.command_line import quorate
from tests.e2e.tenant import PORT, Tenant, condition, eventually
from tests.fakes.vouching import gate
from tools.demo.cluster import images

NAME = "gate-over-refusal"
REFUSES = "echo:I cannot help with that."
"""As the model's name it makes the scripted server say this, whatever it is asked."""
NOTICED_SECONDS = 90
"""A ConfigMap is read every minute; then the member judges and the sidecar hears of it."""


@dataclass(frozen=True)
class Laboratory:
    """A namespace that does not enforce, where a candidate is served and suites run."""

    tenant: Tenant
    namespace: str

    def create(self, key: bytes) -> None:
        """The namespace, the candidate's server and the evaluator's key."""
        pod = self.tenant.pod("candidate")
        pod["metadata"] = {
            "name": "candidate",
            "namespace": self.namespace,
            "labels": {"app": "candidate"},
        }
        server = self.tenant.server_container(("--everywhere", "--port", str(PORT)))
        pod["spec"] |= {"containers": [server]}
        service = self.tenant.service("candidate")
        service["metadata"]["namespace"] = self.namespace
        service["spec"]["ports"] = [{"port": 80, "targetPort": PORT}]
        self.tenant.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": self.namespace,
                    "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
                },
            },
            pod,
            service,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "evaluator", "namespace": self.namespace},
                "data": {"key": base64.b64encode(key).decode()},
            },
        )
        wait = ("wait", "pod/candidate", "-n", self.namespace, "--for=condition=Ready")
        self.tenant.cluster.kubectl(*wait, "--timeout=120s", timeout=150)

    def run(self, manifest_digest: str, served_model: str) -> None:
        """Run the suite as the printed Job does it, and wait until it is done."""
        cluster = self.tenant.cluster
        cluster.kubectl("delete", "job", NAME, "-n", self.namespace, "--ignore-not-found")
        printed = quorate(
            cluster,
            *("gate", "job", "over-refusal", "--served-model", served_model),
            *("--endpoint", f"http://candidate.{self.namespace}.svc/v1"),
            *("--endpoint-port", str(PORT), "--endpoint-pods", "app=candidate"),
            *("-n", self.namespace, "--model-namespace", self.tenant.namespace),
            *("--manifest-digest", manifest_digest, "--image", images()["cli"]["reference"]),
            *("--key-secret", "evaluator", "--api-server", self.api_server),
        )
        assert printed.code == 0, printed.errors
        cluster.apply(*printed.document["items"])

        def over() -> Any:
            job = cluster.get("job", NAME, "-n", self.namespace)
            assert condition(job, "Failed") != "True", self.said()
            return condition(job, "Complete") == "True"

        eventually(over, "the Job is complete", seconds=150)

    @property
    def api_server(self) -> str:
        """An address of the API server."""
        slices = self.tenant.cluster.get("endpointslices", "kubernetes", "-n", "default")
        return f"{slices['endpoints'][0]['addresses'][0]}:{slices['ports'][0]['port']}"

    def said(self) -> str:
        """What the Job's containers said."""
        return self.tenant.cluster.kubectl(
            *("logs", f"job/{NAME}", "-n", self.namespace, "--all-containers", "--tail=50")
        )


@pytest.fixture
def laboratory(tenant: Tenant) -> Iterator[Laboratory]:
    """A laboratory whose results the tenant's policy accepts."""
    key = ec.generate_private_key(ec.SECP256R1())
    tenant.lab = LocalSigner(key)
    suite = OverRefusal()
    accepted = gate(tenant.lab, name="over-refusal")
    accepted["suites"] = [suite_digest(suite, suite.thresholds)]
    tenant.cluster.apply(tenant.policy(gates=[accepted]))
    made = Laboratory(tenant, f"{tenant.namespace}-lab")
    made.create(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    yield made
    tenant.cluster.kubectl("delete", "namespace", made.namespace, "--wait=false")


@pytest.mark.requirement("gates run as a sandboxed Job; FAILED flips the model and stops its pods")
def test_a_job_s_result_admits_a_model_and_stops_it(
    tenant: Tenant, laboratory: Laboratory, client: Client
) -> None:
    """A pass makes the model Ready and its pod serve; a later failure makes both end."""
    digest = tenant.models["good"].files.digest
    laboratory.run(digest, "scripted")
    model = tenant.attested(gates=())
    model["spec"].pop("evidence", None)
    source = {"name": NAME, "key": "over-refusal.json"}
    model["spec"]["evidenceFrom"] = [{"name": "over-refusal", "configMap": source}]
    tenant.cluster.apply(model)
    tenant.certified()
    tenant.cluster.apply(tenant.pod("demo"), tenant.service("demo"))
    tenant.running("demo")
    host = f"demo.{tenant.namespace}.svc"
    assert client.chat(host, "hello", stream=False).status == 200

    laboratory.run(digest, REFUSES)
    published = time.monotonic()
    denied = eventually(partial(refused, client, host), "the pod denies", seconds=NOTICED_SECONDS)
    assert time.monotonic() - published < NOTICED_SECONDS
    assert "GateFailed" in denied or "revoked" in denied.lower(), denied
    conditions = {c["type"]: c for c in tenant.get("attestedmodel", "demo")["status"]["conditions"]}
    assert (conditions["Ready"]["status"], conditions["GatesPassed"]["reason"]) == (
        *("False", "GateFailed"),
    )
    assert "GateFailed" in tenant.refused(tenant.pod("late"))


def refused(client: Client, host: str) -> str:
    """What a request is refused with; empty while it is answered."""
    answer = client.chat(host, "hello", stream=False)
    return "" if answer.status == 200 else json.dumps(answer.body)
