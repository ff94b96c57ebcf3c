"""The table of stolen tokens in SECURITY.md, a test a row, with real tokens of the real accounts.

Each tries what the table says still holds, and what it admits would be gained.
"""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from quorate import names
from quorate.consensus.thresholds import PRESETS
from tests.bypass.ground import JSON_PATCH, Document, Ground, denied
from tests.contract.floor.api import Api
from tests.e2e.tenant import eventually
from tests.fakes.vouching import policy, signer, signers

SYSTEM = names.NAMESPACE
_POLICIES = "/apis/quorate.dev/v1alpha1/clustersafetypolicies"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
DRY = "?dryRun=All"

# Inside the operator's pod, whose image holds the client: what its other token is for.
_ASK = """
import asyncio, json, os, pathlib, sys
from datetime import UTC, datetime
from quorate_io.operator_client import OperatorClient
async def main():
    ask = json.load(sys.stdin)
    token = pathlib.Path("/var/run/secrets/quorate.dev/token")
    now = datetime.now(UTC).replace(microsecond=0)
    async with OperatorClient(ask["url"], ask["members"], ask["genesis"], token) as members:
        answer = await members.evaluate(ask["policy"], ask["model"], now)
    print(json.dumps({"certificate": answer.certificate, "digest": answer.policy_digest}))
asyncio.run(main())
"""


@contextmanager
def bearer(ground: Ground, account: str) -> Iterator[Api]:
    """The API server, to who holds a token of one of our accounts."""
    token = ground.tenant.cluster.kubectl("create", "token", account, "-n", SYSTEM).strip()
    api = Api(ground.tenant.cluster.kubeconfig, token=token)
    try:
        yield api
    finally:
        api.close()


def forbidden(api: Api, *requests: tuple[str, str]) -> None:
    """Each request is refused for want of a right."""
    wrong = []
    for method, path in requests:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = api.request(method, path, {} if method != "GET" else None, content_type=kind)
        if answer.status != 403:
            wrong.append(f"{method} {path}: {answer.status} {answer.message}")
    assert wrong == []


def not_ours(ground: Ground) -> list[tuple[str, str]]:
    """What none of the accounts may do: switches, keys, specs, tokens, other pods' insides."""
    models = ground.path("attestedmodels", "demo", "quorate.dev/v1alpha1")
    system = f"/api/v1/namespaces/{SYSTEM}"
    return [
        *(
            (method, f"{_ADMISSION}/{kind}/{name}{DRY}")
            for kind, name in (
                ("validatingwebhookconfigurations", "quorate"),
                ("mutatingwebhookconfigurations", "quorate"),
                ("validatingadmissionpolicies", "quorate-floor-required"),
                ("validatingadmissionpolicybindings", "quorate-floor-required"),
            )
            for method in ("PATCH", "DELETE")
        ),
        *((method, f"{_POLICIES}/{ground.namespace}{DRY}") for method in ("PATCH", "DELETE")),
        ("POST", _POLICIES + DRY),
        ("PATCH", models + DRY),
        ("DELETE", models + DRY),
        ("POST", ground.path("pods") + DRY),
        ("GET", ground.path("secrets")),
        ("GET", "/api/v1/secrets"),
        ("GET", f"{system}/secrets/quorate-member-0-key"),
        ("PATCH", f"{system}/secrets/quorate-member-0-key{DRY}"),
        ("PATCH", f"{system}/secrets/quorate-genesis{DRY}"),
        ("PATCH", f"{system}/configmaps/quorate-genesis{DRY}"),
        ("POST", f"{system}/serviceaccounts/quorate-operator/token"),
        ("POST", f"{system}/pods{DRY}"),
        ("POST", ground.path("pods", "demo") + "/exec?command=id&stdout=true"),
        ("POST", ground.path("pods", "demo") + "/eviction" + DRY),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings" + DRY),
    ]


@pytest.mark.requirement("stolen token of the operator: what still holds, what is gained")
def test_operators_token(ground: Ground) -> None:
    """It switches nothing off and reaches no key; it may spoil status, rotate the webhook's leaf,
    open incidents, and delete protected pods and members' pods."""
    with bearer(ground, "quorate-operator") as api:
        forbidden(api, *not_ours(ground))
        keeps_enforcing(ground, api)
        system = f"/api/v1/namespaces/{SYSTEM}"
        assert api.request("GET", f"{system}/secrets/quorate-webhook-ca").accepted
        assert api.request("GET", ground.path("configmaps")).status == 403
        demo = ground.path("pods", "demo")
        denied(api.request("DELETE", demo + DRY))
        uid = api.request("GET", demo).body["metadata"]["uid"]
        by_uid = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        assert api.request("DELETE", demo, by_uid | {"dryRun": ["All"]}).accepted
        pods = f"/api/v1/namespaces/{SYSTEM}/pods"
        own = pod_of(ground, "member")["metadata"]
        denied(api.request("DELETE", f"{pods}/{own['name']}{DRY}"))
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
        by_uid = options | {"preconditions": {"uid": own["uid"]}}
        assert api.request("DELETE", f"{pods}/{own['name']}", by_uid).accepted
        other = pod_of(ground, "webhook")["metadata"]
        by_uid = options | {"preconditions": {"uid": other["uid"]}}
        denied(api.request("DELETE", f"{pods}/{other['name']}", by_uid))
        status = ground.path("attestedmodels", "demo", "quorate.dev/v1alpha1") + "/status" + DRY
        assert ground.patch(status, {"status": {"certificates": None}}, api=api).accepted
        swap = [{"op": "replace", "path": "/spec/containers/0/image", "value": "x@sha256:0"}]
        denied(ground.patch(demo, swap, JSON_PATCH, api=api))
        relabel = {"metadata": {"labels": {names.MODEL_LABEL: "other"}}}
        denied(ground.patch(demo, relabel, api=api), "GuardedFieldChanged")


def keeps_enforcing(ground: Ground, api: Api) -> None:
    """This account cannot end enforcement."""
    audit = {"metadata": {"labels": {names.MODE_LABEL: "audit"}}}
    denied(ground.patch(f"/api/v1/namespaces/{ground.namespace}{DRY}", audit, api=api))


def pod_of(ground: Ground, component: str) -> Document:
    """A pod of ours, which has no sidecar."""
    selector = ("-l", f"app.kubernetes.io/component={component}", "-n", SYSTEM)
    found: Document = ground.tenant.cluster.get("pods", *selector)["items"][0]
    return found


@pytest.mark.requirement("stolen token of the operator: what still holds, what is gained")
def test_operators_token_relays_a_weaker_policy(ground: Ground) -> None:
    """Members sign for the weaker policy they are shown; the webhook wants the real one's digest,
    so nothing is admitted or released for it."""
    tenant = ground.tenant
    owner, stranger = tenant.owner, signer()
    tenant.owner = stranger
    ground.put(tenant.attested("relayed"))
    tenant.owner = owner
    model = ground.model("relayed")
    stored = tenant.cluster.get("clustersafetypolicy", ground.namespace)
    weaker = copy.deepcopy(stored)
    weaker["spec"]["model"]["signers"] = signers(stranger)
    genesis = tenant.cluster.get("configmap", "quorate-genesis", "-n", SYSTEM)["data"]["digest"]
    ask = {
        "url": names.MEMBER_URL,
        "members": [f"member-{number}" for number in range(PRESETS["standard"].n)],
        "genesis": genesis.strip(),
        "policy": weaker,
        "model": model,
    }
    run = ("exec", "-i", "-n", SYSTEM, "deployment/quorate-operator", "--", "python3", "-c", _ASK)
    answer = json.loads(tenant.cluster.kubectl(*run, stdin=json.dumps(ask)))
    assert answer["certificate"], "the gain that the table admits"
    eventually(
        lambda: "SignerNotTrusted" in ground.try_pod(model="relayed").message,
        "judged under the real policy",
    )
    demo = ground.model("demo")["status"]
    certificate = next(c for c in demo["certificates"] if c["name"] == ground.namespace)
    forged = copy.deepcopy(demo)
    forged["observedGeneration"] = model["metadata"]["generation"]
    forged["certificates"] = [certificate | {"envelope": answer["certificate"]}]
    for entry in forged["policies"]:
        entry["digest"] = certificate["digest"]
    path = ground.path("attestedmodels", "relayed", "quorate.dev/v1alpha1") + "/status"
    removal = [{"op": "remove", "path": "/spec/schedulingGates"}]
    with bearer(ground, "quorate-operator") as api:
        for _ in range(5):
            assert ground.patch(path, {"status": forged}, api=api).accepted
            held = ground.try_pod(
                lambda spec: spec.update(schedulingGates=[{"name": "example.com/hold"}]),
                model="relayed",
            )
            pod = ground.path("pods", "attack")
            if held.accepted:
                denied(ground.patch(pod, removal, JSON_PATCH, api=api), "Certificate", "Signer")
                ground.withdraw()


@pytest.mark.requirement("stolen token of the webhook: what still holds, what is gained")
def test_webhooks_token(ground: Ground) -> None:
    """It reads what it decides from, and writes nothing at all."""
    with bearer(ground, "quorate-webhook") as api:
        forbidden(api, *not_ours(ground))
        keeps_enforcing(ground, api)
        status = ground.path("attestedmodels", "demo", "quorate.dev/v1alpha1") + "/status"
        forbidden(
            api,
            ("PATCH", status + DRY),
            ("PATCH", ground.path("pods", "demo") + DRY),
            ("DELETE", ground.path("pods", "demo") + DRY),
            ("POST", ground.path("safetyincidents", "", "quorate.dev/v1alpha1") + DRY),
            ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/quorate-webhook-ca"),
            ("GET", "/api/v1/configmaps"),
        )
        for path in (_POLICIES, "/apis/quorate.dev/v1alpha1/attestedmodels", "/api/v1/pods"):
            assert api.request("GET", path).accepted


@pytest.mark.requirement("stolen token of a member: what still holds, what is gained")
def test_members_token(ground: Ground) -> None:
    """Its pod has none, and one made for its account reads not even what it judges."""
    pod = pod_of(ground, "member")
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not any("projected" in volume for volume in pod["spec"]["volumes"])
    with bearer(ground, "quorate-member") as api:
        forbidden(api, *not_ours(ground))
        keeps_enforcing(ground, api)
        forbidden(
            api,
            ("GET", _POLICIES),
            ("GET", "/apis/quorate.dev/v1alpha1/attestedmodels"),
            ("GET", "/api/v1/pods"),
            ("POST", ground.path("safetyincidents", "", "quorate.dev/v1alpha1") + DRY),
        )


@pytest.mark.requirement("stolen token of the install Job: what still holds, what is gained")
def test_install_jobs_token(ground: Ground) -> None:
    """It sets whom the API server believes to be the webhook; it changes nothing else of the
    configurations, and no key that exists."""
    with bearer(ground, "quorate-install") as api:
        system = f"/api/v1/namespaces/{SYSTEM}"
        path = f"{_ADMISSION}/validatingwebhookconfigurations/quorate"
        field = "/webhooks/0/clientConfig/caBundle"
        before = api.request("GET", path).body["webhooks"][0]["clientConfig"]["caBundle"]
        believe = [{"op": "replace", "path": field, "value": before}]
        assert ground.patch(path + DRY, believe, JSON_PATCH, api=api).message == ""
        for change in (
            {"path": "/webhooks/0/failurePolicy", "value": "Ignore"},
            {"path": "/webhooks/0/timeoutSeconds", "value": 1},
            {"path": "/webhooks/0/rules/0/operations", "value": ["DELETE"]},
            {"path": "/webhooks/0/clientConfig/service/name", "value": "other"},
            {"path": "/webhooks/0/namespaceSelector", "value": {"matchLabels": {"a": "b"}}},
            {"path": "/webhooks", "value": []},
        ):
            patch = [{"op": "replace", **change}]
            denied(ground.patch(path + DRY, patch, JSON_PATCH, api=api), "GuardedFieldChanged")
        forbidden(
            api,
            ("DELETE", path + DRY),
            ("DELETE", f"{system}/secrets/quorate-member-0-key{DRY}"),
            ("PATCH", f"{system}/secrets/quorate-member-0-key{DRY}"),
            ("PATCH", f"{system}/secrets/quorate-genesis{DRY}"),
            ("PATCH", f"{system}/configmaps/quorate-genesis{DRY}"),
            ("PATCH", f"{_ADMISSION}/validatingadmissionpolicies/quorate-floor-mode{DRY}"),
            ("GET", ground.path("secrets")),
            ("POST", ground.path("pods") + DRY),
            ("GET", _POLICIES),
        )
        named = {"name": names.member_key("member-0")}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": named}
        assert api.request("POST", f"{system}/secrets{DRY}", secret).status == 409


@pytest.mark.requirement("stolen token of a tenant: what still holds, what is gained")
def test_tenants_token(ground: Ground) -> None:
    """With every right in its namespace it mints tokens, but none of our audience, for no account
    and in no way; and it reads nothing of ours."""

    def mint(audiences: list[str], **spec: Any) -> Any:
        body: Document = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": audiences, **spec},
        }
        path = ground.path("serviceaccounts", "default") + "/token"
        return ground.attacker.request("POST", path, body)

    assert mint(["other"]).accepted
    uid = ground.pod()["metadata"]["uid"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": "demo", "uid": uid}
    for audiences in (["quorate"], ["other", "quorate"], ["quorate-x"]):
        denied(mint(audiences), "TokenAudienceReserved")
        denied(mint(audiences, boundObjectRef=bound), "TokenAudienceReserved")
    source = {"serviceAccountToken": {"audience": "quorate", "path": "token"}}
    projected = {"name": "mine", "projected": {"sources": [source]}}
    answer = ground.try_pod(lambda spec: spec["volumes"].append(projected))
    denied(answer, "TokenAudienceReserved", "VolumeNotAllowed")
    own = policy({}, name="x")
    denied(ground.attacker.request("POST", _POLICIES + DRY, own), "forbidden")
    for path in ("/api/v1/secrets", f"/api/v1/namespaces/{SYSTEM}/secrets", "/api/v1/nodes"):
        assert ground.attacker.request("GET", path).status == 403
