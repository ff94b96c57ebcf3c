"""A signed and gated model answers through its sidecar, and what must not pass does not."""

import json
from typing import Any

import pytest

from quorate_cli.exit_codes import DENIED
from tests.e2e.client import Client
from tests.e2e.command_line import quorate
from tests.e2e.processes import processes, run_inside
from tests.e2e.tenant import PORT, Tenant, condition, eventually

# A made-up key in the public format, in two parts so that no scanner takes it for a real one.
PLANTED = "AKIA" + "Q3EXAMPLE7PLANTD"

_OPENAI = """
import sys
from openai import OpenAI
client = OpenAI(base_url=f"http://{sys.argv[1]}/v1", api_key="unused", max_retries=0)
stream = client.chat.completions.create(
    model="scripted", stream=True, messages=[{"role": "user", "content": "echo:one two three"}])
print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
answer = client.chat.completions.create(
    model="scripted", messages=[{"role": "user", "content": "echo:four five"}])
print(answer.choices[0].message.content)
print([model.id for model in client.models.list()])
"""


def host(tenant: Tenant, service: str = "demo") -> str:
    """The Service's name as clients write it."""
    return f"{service}.{tenant.namespace}.svc"


@pytest.mark.requirement(
    "good model → Running and a streamed answer through the Service, and from the openai client"
)
def test_good_model_serves(tenant: Tenant, client: Client) -> None:
    """Streamed and whole answers, by hand and by the openai package."""
    tenant.serve()
    answer = client.chat(host(tenant), "echo:hello from the model")
    assert (answer.status, answer.text) == (200, "hello from the model")
    lines = client.python(_OPENAI, host(tenant)).splitlines()
    assert lines[:2] == ["one two three", "four five"]
    assert lines[2].startswith("[")


@pytest.mark.requirement("planted credential in the prompt → refused")
def test_credential_in_the_prompt(tenant: Tenant, client: Client) -> None:
    """The model never sees it, and the refusal says why in the OpenAI form."""
    tenant.serve()
    answer = client.chat(host(tenant), f"echo:my key is {PLANTED}")
    assert answer.status in (400, 403)
    error = json.loads(answer.body)["error"]
    assert "secrets" in error["message"]
    assert error["request_id"]
    assert PLANTED not in answer.body


@pytest.mark.requirement("planted credential split over chunks in the answer → 0 bytes released")
def test_credential_split_over_chunks(tenant: Tenant, client: Client) -> None:
    """However the model splits it, no part of the credential reaches the client."""
    tenant.serve()
    for chunks in (1, 2, 7, 20):
        answer = client.chat(host(tenant), f"leak:chunks={chunks}")
        assert "AKIA" not in answer.body
        assert any("error" in event for event in answer.events), answer
    whole = client.chat(host(tenant), "leak:chunks=1", stream=False)
    assert whole.status != 200
    assert "AKIA" not in whole.body


@pytest.mark.requirement("unknown paths, fields and media types → DENY")
def test_what_is_not_understood_is_refused(tenant: Tenant, client: Client) -> None:
    """Paths, fields, duplicate keys and shapes the sidecar does not know do not reach the model."""
    tenant.serve()
    chat = "/v1/chat/completions"
    message = [{"role": "user", "content": "echo:hi"}]
    good = {"model": "m", "messages": message}
    cases: list[tuple[str, str, Any]] = [
        ("POST", "/v1/files", {}),
        ("GET", "/metrics", None),
        ("GET", "/v1/models/../../admin", None),
        ("POST", chat, good | {"surprise": 1}),
        ("POST", chat, '{"model":"m","model":"n","messages":[]}'),
        ("POST", chat, '{"model":"m","Model":"n","messages":[]}'),
        ("POST", chat, '{"model":"m","messages":[],"temperature":NaN}'),
        ("POST", chat, "[" * 10_000),
        ("POST", chat, "{"),
    ]
    for method, path, body in cases:
        answer = client.request(host(tenant), method, path, body)
        assert 400 <= answer.status < 500, (method, path, body, answer)
        assert "error" in json.loads(answer.body)
    assert client.request(host(tenant), "POST", chat, good).status == 200


@pytest.mark.requirement("model bound to the wildcard → refused with the remedy")
def test_wildcard_bind(tenant: Tenant) -> None:
    """Arguments that bind every address are refused at once, with what to write instead."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    wild = ("--host", "0.0.0.0", "--port", str(PORT))  # noqa: S104 - the case under test
    said = tenant.refused(tenant.pod("wild", args=wild))
    assert "PortNotDeclared" in said
    assert "--host 127.0.0.1" in said


@pytest.mark.requirement("model bound to the wildcard → refused with the remedy")
def test_wildcard_bind_at_run_time(tenant: Tenant) -> None:
    """A server that binds every address whatever it is told cannot start beside the sidecar: the
    pod never becomes Ready, and its log and ``explain`` say why."""
    tenant.cluster.apply(tenant.attested())
    tenant.certified()
    sly = ("--host", "127.0.0.1", "--port", str(PORT), "--everywhere")
    tenant.cluster.apply(tenant.pod("sly", args=sly), tenant.service("sly"))

    def failed() -> dict[str, Any] | None:
        pod: dict[str, Any] = tenant.get("pod", "sly")
        assert condition(pod, "Ready") != "True"
        servers = pod.get("status", {}).get("containerStatuses", [])
        return pod if any(s["restartCount"] >= 2 for s in servers) else None

    pod = eventually(failed, "the server fails, again and again")
    sidecar = next(
        s for s in pod["status"]["initContainerStatuses"] if s["name"] == "quorate-sidecar"
    )
    assert (sidecar["started"], sidecar["restartCount"]) == (True, 0)
    assert "Address already in use" in tenant.kubectl("logs", "sly", "-c", "server", "--previous")
    explained = quorate(tenant.cluster, "explain", "pod/sly", "-n", tenant.namespace)
    assert explained.code == DENIED
    serve = next(d for d in explained.document["decisions"] if d["question"] == "serve")
    assert serve["answer"] == "no"
    assert serve["refusals"][0]["reason"] == "ServerNotReady"
    remedy = serve["refusals"][0]["remedy"]
    assert "--host 127.0.0.1" in remedy["text"]
    assert "-c server" in remedy["commands"][0]
    slices = tenant.get("endpointslices", "-l", "kubernetes.io/service-name=sly")["items"]
    ready = [e for s in slices for e in s.get("endpoints") or [] if e["conditions"]["ready"]]
    assert ready == []


@pytest.mark.requirement("no API token inside injected containers even when the account automounts")
def test_no_api_token_in_injected_containers(tenant: Tenant) -> None:
    """The tenant's own container gets the token it would get anyway; ours hold none."""
    tenant.serve()
    pod = tenant.get("pod", "demo")
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    look = f"import os; print(os.listdir({path!r}))"
    # Not its probe, which is a process of its own now and then.
    (sidecar,) = processes(pod, "quorate_sidecar\0serve")
    assert run_inside(sidecar, look).strip() == "[]"
    (server, *_) = processes(pod, "--host")
    assert "token" in run_inside(server, look)
