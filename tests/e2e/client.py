"""A client of a protected model: requests through the Service, from a pod."""

import json
from dataclasses import dataclass
from typing import Any

from tools.demo.cluster import Cluster

NAMESPACE = "e2e-client"

# Runs inside the client's pod: one request, everything that came back as JSON on standard output.
_SCRIPT = """
import http.client, json, sys
ask = json.load(sys.stdin)
connection = http.client.HTTPConnection(ask["host"], timeout=ask["timeout"])
body = ask["body"].encode()
connection.request(ask["method"], ask["path"], body, {"Content-Type": "application/json"})
answer = connection.getresponse()
try:
    received = answer.read()
except http.client.IncompleteRead as error:
    received = error.partial
print(json.dumps({"status": answer.status, "body": received.decode("utf-8", "replace")}))
"""


@dataclass(frozen=True)
class Answer:
    """What came back: the status code and the whole body as text."""

    status: int
    body: str

    @property
    def events(self) -> list[Any]:
        """The JSON events of a streamed answer."""
        lines = (line.removeprefix("data: ") for line in self.body.splitlines() if line)
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def text(self) -> str:
        """The content of a streamed answer, joined."""
        return "".join(
            choice["delta"].get("content") or ""
            for event in self.events
            for choice in event.get("choices", [])
        )


@dataclass(frozen=True)
class Client:
    """A pod to ask from."""

    cluster: Cluster
    image: str

    def create(self) -> None:
        """Make the namespace and the pod, and wait for it."""
        security = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        container = {
            "name": "client",
            "image": self.image,
            "command": ["python3", "-c", "import signal; signal.pause()"],
            "securityContext": security,
        }
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "client", "namespace": NAMESPACE},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
        )
        wait = ("wait", "pod/client", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=180s")
        self.cluster.kubectl(*wait, timeout=200)

    def remove(self) -> None:
        """Delete the namespace in the background."""
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")

    def python(self, script: str, *arguments: str, stdin: str = "", timeout: float = 120) -> str:
        """Run a script inside the client's pod; returns its standard output."""
        command = ("exec", "-i", "-n", NAMESPACE, "client", "--", "python3", "-c", script)
        return self.cluster.kubectl(*command, *arguments, stdin=stdin, timeout=timeout)

    def request(
        self, host: str, method: str, path: str, body: Any = None, *, timeout: float = 30
    ) -> Answer:
        """One request to a Service or to ``address:port``; ``body`` is sent as JSON, a string as it
        is."""
        text = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
        ask = {"host": host, "method": method, "path": path, "body": text, "timeout": timeout}
        answer = json.loads(self.python(_SCRIPT, stdin=json.dumps(ask)))
        return Answer(answer["status"], answer["body"])

    def chat(self, host: str, message: str, *, stream: bool = True, **fields: Any) -> Answer:
        """One chat completion."""
        body = {
            "model": "scripted",
            "stream": stream,
            "messages": [{"role": "user", "content": message}],
        }
        return self.request(host, "POST", "/v1/chat/completions", body | fields)
