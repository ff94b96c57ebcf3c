"""Requests to the door that is served: the sidecar's, and the webhook's own."""

import json
from typing import Any

import pytest

from quorate import names
from tests.bypass.ground import PORT, Document, Ground
from tests.e2e.client import Client
from tests.e2e.tenant import eventually

# Inside the client's pod: requests as bytes, each on a connection of its own.
_RAW = """
import base64, json, socket, ssl, sys
ask = json.load(sys.stdin)
answers = []
for text in ask["requests"]:
    with socket.create_connection((ask["host"], ask["port"]), timeout=10) as raw:
        if ask["tls"]:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            raw = context.wrap_socket(raw)
        raw.sendall(base64.b64decode(text))
        received = b""
        try:
            while chunk := raw.recv(65536):
                received += chunk
        except OSError:
            pass
        answers.append(received.decode("utf-8", "replace"))
print(json.dumps(answers))
"""
MESSAGE = '{"role": "user", "content": "echo:through"}'
# A made-up key in the public format, in two parts so that no scanner takes it for a real one.
PLANTED = "AKIA" + "Q3EXAMPLE7PLANTD"
EVIL = '{"role": "user", "content": "echo:' + PLANTED + '"}'


def raw(client: Client, host: str, port: int, *requests: bytes, tls: bool = False) -> list[str]:
    """What came back for each request."""
    import base64

    texts = [base64.b64encode(request).decode() for request in requests]
    ask = {"host": host, "port": port, "requests": texts, "tls": tls}
    answers: list[str] = json.loads(client.python(_RAW, stdin=json.dumps(ask)))
    return answers


def post(path: str, body: str | bytes, *headers: str) -> bytes:
    """An HTTP request."""
    data = body.encode() if isinstance(body, str) else body
    lines = (
        f"POST {path} HTTP/1.1", "Host: model", "Content-Type: application/json",
        f"Content-Length: {len(data)}", "Connection: close", *headers,
    )  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


def code(answer: str) -> int:
    """The status code; 0 if the connection just ended."""
    parts = answer.split(" ", 2)
    return int(parts[1]) if len(parts) > 2 else 0


def service(ground: Ground) -> str:
    """The demo's Service."""
    return f"demo.{ground.namespace}.svc"


def chat(messages: str, *more: str) -> str:
    """A body; ``more`` are further members as text."""
    return "{" + ", ".join([f'"model": "m", "messages": [{messages}]', *more]) + "}"


@pytest.fixture
def host(ground: Ground, client: Client) -> str:
    """The demo's Service, which serves: a denial for another test's policy, which its sidecar may
    hold until it asks again, would hide what is tried here."""
    name = service(ground)
    asked = post("/v1/chat/completions", chat(MESSAGE))
    eventually(lambda: code(raw(client, name, 80, asked)[0]) == 200, "it serves", seconds=40)
    return name


@pytest.mark.bypass("P12")
def test_class_p12_paths_at_the_proxy(host: str, client: Client) -> None:
    """A path reaches the model only as one that is declared, and is checked all the same."""
    body = chat(EVIL)
    good = "/v1/chat/completions"
    paths = (
        "//v1/chat/completions", "/v1//chat/completions", "/v1/./chat/completions",
        "/v1/x/../chat/completions", "/v1/chat/completions/", "/v1/chat%2fcompletions",
        "/V1/Chat/Completions", "/v1/chat/completions;x=1", "/%76%31/chat/completions",
        "/health/../v1/chat/completions", "/v1/chat/completions%00", "/metrics", "/admin",
        "/v1/load_lora_adapter", "/api/pull", "/v1/models/../../admin", "http://127.0.0.1:8000/x",
        "/v1/chat/completions?x=%0d%0aX: y", "/v1/chat/completions#x",
    )  # fmt: skip
    requests = [post(path, body) for path in paths]
    smuggled = post(good, chat(MESSAGE), "Transfer-Encoding: chunked")
    plain, doubled, *rest = raw(client, host, 80, post(good, chat(MESSAGE)), smuggled, *requests)
    assert code(plain) == 200
    assert "through" in plain
    assert code(doubled) in (0, 400)
    wrong = [
        f"{path}: {answer[:200]}"
        for path, answer in zip(paths, rest, strict=True)
        if code(answer) == 200 or PLANTED in answer
    ]
    assert wrong == []


@pytest.mark.bypass("P13")
def test_class_p13_parsers_that_differ(host: str, client: Client) -> None:
    """What a checker and a model could read differently never reaches the model."""
    path = "/v1/chat/completions"
    bodies: dict[str, str | bytes] = {
        "messages twice": chat(MESSAGE, f'"messages": [{EVIL}]'),
        "messages in another case": chat(MESSAGE, f'"Messages": [{EVIL}]'),
        "content in another case": chat(MESSAGE[:-1] + f', "Content": "echo:{PLANTED}"}}'),
        "content twice": chat(MESSAGE[:-1] + f', "content": "echo:{PLANTED}"}}'),
        "an escaped key": chat(MESSAGE, f'"mess\\u0061ges": [{EVIL}]'),
        "NaN": chat(MESSAGE, '"temperature": NaN'),
        "a byte order mark": b"\xef\xbb\xbf" + chat(EVIL).encode(),
        "UTF-16": chat(EVIL).encode("utf-16"),
        "invalid UTF-8": chat(MESSAGE).encode().replace(b"through", b"\xff\xfe"),
        "a lone surrogate": chat('{"role": "user", "content": "echo:\\ud800"}'),
        "nesting": chat(MESSAGE, '"x": ' + "[" * 5000 + "]" * 5000),
        "two documents": chat(MESSAGE) + chat(EVIL),
        "a comment": chat(MESSAGE) + " // x",
        "the secret escaped": chat(EVIL.replace("AKIA", "\\u0041KIA")),
    }
    answers = raw(client, host, 80, *(post(path, body) for body in bodies.values()))
    wrong = [
        f"{title}: {answer[:300]}"
        for title, answer in zip(bodies, answers, strict=True)
        if code(answer) == 200 or PLANTED in answer
    ]
    assert wrong == []


@pytest.mark.bypass("E26")
@pytest.mark.usefixtures("host")
def test_class_e26_the_pods_own_address(ground: Ground, client: Client) -> None:
    """On the pod's address, on every way of the API server's proxies, the sidecar answers."""
    address = ground.pod()["status"]["podIP"]
    evil = post("/v1/chat/completions", chat(EVIL))
    (direct,) = raw(client, address, PORT, evil)
    assert code(direct) in (400, 403)
    assert PLANTED not in direct
    for place in (f"pods/demo:{PORT}", "services/demo:80"):
        path = ground.path(f"{place}/proxy/v1/chat/completions")
        body = {"model": "m", "messages": [json.loads(EVIL)]}
        answer = ground.attacker.request("POST", path, body)
        assert not answer.accepted
        assert PLANTED not in json.dumps(answer.body)


def review(ground: Ground, **changes: Any) -> Document:
    """An AdmissionReview as the API server would send it."""
    pod = ground.tenant.pod("forged", model="nobody")
    request: Document = {
        "uid": "00000000-0000-0000-0000-000000000000",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "forged", "namespace": ground.namespace, "operation": "CREATE", "dryRun": False,
        "userInfo": {"username": names.OPERATOR_USER, "groups": ["system:masters"]},
        "object": pod,
    }  # fmt: skip
    kind = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return kind | {"request": request | changes}


@pytest.mark.bypass("P10")
def test_class_p10_the_admission_endpoint(ground: Ground, client: Client) -> None:
    """Whoever reaches it gets a verdict at most: nothing is written, run or read for them."""
    host = f"{names.WEBHOOK_SERVICE}.{names.NAMESPACE}.svc"
    version = ground.model("demo")["metadata"]["resourceVersion"]
    ungated = {"oldObject": ground.pod(), "operation": "UPDATE"}
    requests = (
        post("/v1/validate", json.dumps(review(ground))),
        post("/v1/validate", json.dumps(review(ground, **ungated))),
        post("/v1/validate", b"\x00" * 1000),
        post("/v1/validate", "[" * 100_000),
        post("/v1/mutate", json.dumps(review(ground, object={"spec": "x"}))),
        post("/../../etc/passwd", ""),
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    answers = raw(client, host, 443, *requests, tls=True)
    for answer in answers[:4]:
        # A network policy that keeps the client out is as good.
        assert not answer or code(answer) >= 400 or '"allowed":false' in answer.replace(" ", "")
    # Mutate decides nothing, whoever asks.
    for answer in answers[5:]:
        assert code(answer) in (0, 400, 404, 405)
    found = {pod["metadata"]["name"] for pod in ground.tenant.get("pods")["items"]}
    assert "forged" not in found
    assert ground.model("demo")["metadata"]["resourceVersion"] == version
