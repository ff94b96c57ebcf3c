"""Bursts of pod creations: so many at once, each on a connection that is open already."""

import asyncio
import base64
import copy
import json
import re
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tools.demo.cluster import Cluster

GATES = b'"schedulingGates"'
ANSWER_SECONDS = 60.0


@dataclass
class Outcome:
    """What became of the creations in one place."""

    waits: list[float] = field(default_factory=list)
    """Seconds from asking to the whole answer, of each that was admitted."""
    failures: list[str] = field(default_factory=list)
    """What was said instead."""
    ungated: int = 0
    """How many of them were let in without the gate they should have."""
    seconds: float = 0.0
    """Length of all bursts together."""


class ApiServer:
    """The API server, as the cluster's administrator reaches it: no fair queuing in the way."""

    def __init__(self, cluster: Cluster) -> None:
        view = cluster.kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json")
        config = json.loads(view)
        self.address: str = config["clusters"][0]["cluster"]["server"]
        self.tls = _tls(config["clusters"][0]["cluster"], config["users"][0]["user"])

    def session(self, connections: int) -> aiohttp.ClientSession:
        """A client with so many connections."""
        connector = aiohttp.TCPConnector(
            ssl=self.tls, limit=connections, limit_per_host=connections, keepalive_timeout=120
        )
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        return aiohttp.ClientSession(self.address, connector=connector, timeout=timeout)


def _tls(cluster: dict[str, str], user: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
    )
    with tempfile.TemporaryDirectory() as directory:
        pair = Path(directory) / "client.pem"
        parts = ("client-certificate-data", "client-key-data")
        pair.write_bytes(b"\n".join(base64.b64decode(user[part]) for part in parts))
        context.load_cert_chain(pair)
    return context


def bodies(pod: dict[str, Any], namespace: str, count: int) -> list[bytes]:
    """The pod under so many names."""
    made = copy.deepcopy(pod)
    made["metadata"]["namespace"] = namespace
    found = []
    for index in range(count):
        made["metadata"]["name"] = f"bench-{index}"
        found.append(json.dumps(made).encode())
    return found


def _message(text: bytes) -> str:
    """What the API server said, without the pod's name."""
    try:
        said = str(json.loads(text).get("message", ""))
    except ValueError:
        said = text.decode("utf-8", "replace")
    return re.sub(r"bench-\d+", "bench", said)[:240]


async def burst(
    session: aiohttp.ClientSession, namespace: str, pods: list[bytes], gated: bool, into: Outcome
) -> None:
    """Create all pods at once, as a dry run, and note what became of each.

    A pod that must come back with its gate and does not is a failure: its webhook was left out.
    """
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    headers = {"Content-Type": "application/json"}

    async def create(body: bytes) -> None:
        began = time.perf_counter()
        try:
            async with session.post(path, data=body, headers=headers) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            into.failures.append(repr(error))
            return
        if answer.status != 201 or (GATES in text) is not gated:
            into.failures.append(f"{answer.status} {_message(text)}")
            into.ungated += answer.status == 201 and gated
        else:
            into.waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(create(body) for body in pods))
    into.seconds += time.perf_counter() - began
