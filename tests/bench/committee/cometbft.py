"""CometBFT beside it: five validators on loopback that order a transaction and commit it.

Tuned for latency: no wait after a commit, short timeouts and gossip, no empty blocks. The
application is the key-value store that comes with it, in the validator's process.
"""

import asyncio
import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp

from tests.bench.committee.members import delayed
from tests.integration.consensus.member_process import free_port
from tools.cluster import binaries

VALIDATORS = 5
READY_SECONDS = 60.0
TUNING = {
    "CMT_LOG_LEVEL": "error",
    "CMT_P2P_FLUSH_THROTTLE_TIMEOUT": "1ms",
    "CMT_CONSENSUS_TIMEOUT_PROPOSE": "200ms",
    "CMT_CONSENSUS_TIMEOUT_PREVOTE": "50ms",
    "CMT_CONSENSUS_TIMEOUT_PRECOMMIT": "50ms",
    "CMT_CONSENSUS_TIMEOUT_COMMIT": "0s",
    "CMT_CONSENSUS_PEER_GOSSIP_SLEEP_DURATION": "2ms",
    "CMT_CONSENSUS_CREATE_EMPTY_BLOCKS": "false",
}
VALUE = "x" * 1_000
"""Of a transaction: about as long as an encoded ask."""


def program() -> Path:
    """The pinned CometBFT, built on first use. Raises ClusterError."""
    return binaries.ensure((binaries.COMETBFT,)).path("cometbft")


class Network:
    """The validators' files in a folder, made anew for each run."""

    def __init__(self, folder: Path, executable: Path) -> None:
        self._folder = folder
        self._executable = executable
        self._p2p, self._rpc, self._behind = free_port(), free_port(), free_port()
        self._numbers = itertools.count()
        arguments = ["testnet", "--v", str(VALIDATORS), "--o", str(folder)]
        arguments += ["--starting-ip-address", "127.0.0.1", "--p2p-port", str(self._p2p)]
        subprocess.run([executable, *arguments], check=True, capture_output=True)

    @contextmanager
    def running(self, up: int, *, slow: bool = False) -> Iterator[list[int]]:
        """The pids of the first ``up`` validators; the last is behind a proxy if ``slow``."""
        with ExitStack() as stack:
            pids = [
                stack.enter_context(self._validator(number, slow=slow and number == up))
                for number in range(1, up + 1)
            ]
            if slow:
                host = f"127.0.0.{up}"
                stack.enter_context(delayed(f"{host}:{self._p2p}", f"{host}:{self._behind}"))
            yield pids

    async def ready(self, session: aiohttp.ClientSession, up: int) -> None:
        """Wait until the first validator knows all others that run."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            try:
                async with session.get("/net_info") as response:
                    if int((await response.json())["result"]["n_peers"]) == up - 1:
                        return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.2)
        raise AssertionError("the validators did not find each other")

    def session(self) -> aiohttp.ClientSession:
        """A client of the first validator."""
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(f"http://127.0.0.1:{self._rpc}", connector=connector)

    async def commit(self, session: aiohttp.ClientSession) -> bool:
        """One transaction, until its block is final. AssertionError if it is refused."""
        text = f"k{next(self._numbers)}={VALUE}"
        query = {"tx": json.dumps(text)}
        async with session.get("/broadcast_tx_commit", params=query) as response:
            said = await response.json()
        assert "error" not in said, said
        assert said["result"]["tx_result"]["code"] == 0, said
        return int(said["result"]["height"]) > 0

    @contextmanager
    def _validator(self, number: int, *, slow: bool) -> Iterator[int]:
        home = self._folder / f"node{number - 1}"
        host = f"127.0.0.{number}"
        port = self._behind if slow else self._p2p
        command = [str(self._executable), "start", "--home", str(home), "--proxy_app", "kvstore"]
        command += ["--rpc.laddr", f"tcp://{host}:{self._rpc}"]
        command += ["--p2p.laddr", f"tcp://{host}:{port}", "--p2p.pex=false"]
        # Who is far away is called and does not call: all that is said passes its proxy.
        command += ["--p2p.persistent_peers", "" if slow else self._peers(home)]
        with (home / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | TUNING)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(20)

    @staticmethod
    def _peers(home: Path) -> str:
        text = (home / "config" / "config.toml").read_text()
        found = re.search(r'^persistent_peers = "(.+)"$', text, re.MULTILINE)
        assert found is not None
        return found[1]
