"""``make bench ROOM=inventory``: the command line over 10,000 pods, against a scripted API server.

The server answers lists from memory, page by page as the API server does; nothing else of it is
real. Two clusters: one in which four pods in ten serve no model, and one in which every pod does,
so that every pod is judged. Time and memory are those of the command's own process, start included.
"""

import copy
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from quorate import names
from quorate_cli.cluster import kinds
from tests.bench.report import Figure, publish
from tests.unit.cli.fake_cluster import NAMESPACE, FakeCluster

PODS, NAMESPACES, MODELS = 10_000, 100, 100
RSS_MIB, SECONDS = 250, 60
Document = dict[str, Any]


@dataclass
class Scripted:
    """What the server lists and gives, by path."""

    lists: dict[str, list[bytes]]
    objects: dict[str, bytes]

    def answer(self, target: str) -> bytes | None:
        """The answer to a GET; None for what does not exist."""
        parts = urlsplit(target)
        if parts.path in self.objects:
            return self.objects[parts.path]
        items = self.lists.get(parts.path)
        if items is None:
            return None
        query = parse_qs(parts.query)
        start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        more = start + limit if start + limit < len(items) else ""
        head = json.dumps({"continue": str(more)}).encode()
        page = b",".join(items[start : start + limit])
        return b'{"kind":"List","metadata":' + head + b',"items":[' + page + b"]}"


def scripted(share_of_servers: float) -> Scripted:
    """A cluster of many pods; a fifth of the servers are protected."""
    cluster = FakeCluster(now=datetime.now(UTC))
    protected, plain = cluster.pod(gated=False), {"name": "web", "image": "nginx:1"}
    pods = []
    for number in range(PODS):
        pod = copy.deepcopy(protected)
        namespace = NAMESPACE if number % 5 == 0 else f"ns-{number % NAMESPACES}"
        pod["metadata"] |= {"name": f"chat-{number}", "namespace": namespace}
        owner = {"kind": "StatefulSet", "name": f"chat-{number % 500}", "controller": True}
        pod["metadata"] |= {"ownerReferences": [owner], "managedFields": [_managed(pod)]}
        if number % 5:
            pod["spec"] = {
                "containers": [{"name": "server", "image": "vllm/vllm-openai:v1",
                                "args": ["--model", f"org/model-{number % 40}"]}]
            }  # fmt: skip
            pod["metadata"]["labels"] = {"app": "chat"}
        if number >= PODS * share_of_servers and number % 5:
            pod["spec"] = {"containers": [plain]}
        pod["spec"]["nodeName"] = f"node-{number % 64}"
        pod["status"] = {"phase": "Running", "conditions": _conditions()}
        pods.append(pod)
    spaces: list[Document] = [{"metadata": {"name": f"ns-{i}"}} for i in range(NAMESPACES)]
    labels = {names.MODE_LABEL: "enforce"}
    spaces.append({"metadata": {"name": NAMESPACE, "labels": labels}})
    objects = cluster.reader.objects
    model = objects["AttestedModel", NAMESPACE, "demo"]
    models = [model | {"metadata": model["metadata"] | {"name": f"demo-{i}"}}
              for i in range(MODELS)]  # fmt: skip
    listed = {
        kinds.POD: pods,
        kinds.NAMESPACE: spaces,
        kinds.ATTESTED_MODEL: [model, *models],
        kinds.CLUSTER_SAFETY_POLICY: [d for k, d in objects.items() if k[0].startswith("Cluster")],
        kinds.SAFETY_POLICY: [],
        kinds.CLAIM: [],
    }
    given = {
        kinds.CONFIG_MAP.path(names.NAMESPACE, k[2]): json.dumps(d).encode()
        for k, d in objects.items()
        if k[0] == "ConfigMap"
    }
    return Scripted(
        {kind.path(): [json.dumps(d).encode() for d in found] for kind, found in listed.items()},
        given,
    )


def _managed(pod: Document) -> Document:
    """As much of managed fields as a pod has."""
    fields: Document = {
        f"f:{key}": {} for container in pod["spec"]["containers"] for key in container
    }
    entry = {"f:spec": {"f:containers": {f"k:{i}": fields for i in range(8)}}}
    return {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": entry}


def _conditions() -> list[Document]:
    return [
        {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]


def serve(script: Scripted) -> ThreadingHTTPServer:
    """A server on loopback, in threads of this process."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer from memory."""
            body = script.answer(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body or b"{}")))
            self.end_headers()
            self.wfile.write(body or b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def measured(script: Scripted, *command: str) -> tuple[float, float, float, Document]:
    """Seconds, CPU seconds and peak MiB of one command, and what it printed."""
    server = serve(script)
    with tempfile.TemporaryDirectory() as folder:
        config, output = Path(folder) / "config", Path(folder) / "output"
        config.write_text(yaml.safe_dump(kubeconfig(f"http://127.0.0.1:{server.server_port}")))
        argv = [sys.executable, "-m", "quorate_cli", *command, "--kubeconfig", str(config)]
        started = time.perf_counter()
        with output.open("wb") as out:
            actions = [(os.POSIX_SPAWN_DUP2, out.fileno(), 1)]
            pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions)
            _, status, used = os.wait4(pid, 0)
        seconds = time.perf_counter() - started
        server.shutdown()
        server.server_close()
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"{command} failed: {output.read_text()[:500]}")
        printed: Document = json.loads(output.read_text())
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed


def kubeconfig(url: str) -> Document:
    """A kubeconfig for a server without TLS."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    }


def main() -> int:
    """Measure, print, write."""
    figures = []
    for title, share in (("six pods in ten", 0.5), ("every pod", 1.0)):
        script = scripted(share)
        size = sum(map(len, script.lists[kinds.POD.path()])) / 1e6
        seconds, cpu, rss, printed = measured(script, "inventory", "-o", "json")
        if printed["podsRead"] != PODS:
            raise SystemExit(f"read {printed['podsRead']} pods")
        found = sum(row["pods"] for row in printed["servers"])
        figures += [
            Figure(f"{title}: pods listed, MB", size, "MB"),
            Figure(f"{title}: model servers found", found, "pods"),
            Figure(f"{title}: seconds", seconds, "s", f"<={SECONDS}"),
            Figure(f"{title}: CPU", cpu, "s"),
            Figure(f"{title}: peak RSS", rss, "MiB", f"<={RSS_MIB}"),
        ]
    publish("inventory", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
