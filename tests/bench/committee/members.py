"""Real members with stores, each behind TLS in a process of its own."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec

from quorate.consensus import judge_sets
from quorate.consensus.thresholds import Thresholds
from quorate_io.member_api import ObservedBatch, ObservedPod
from tests.bench.committee.delay import __name__ as delay
from tests.bench.webhook.processes import running
from tests.integration.consensus.member_process import free_port
from tests.integration.consensus.voting_cluster import VotingCluster

PODS = 16
"""Whose sidecars ask: a member answers so many asks of one pod in a window, and no more."""
DELAY_MS = 500


@dataclass
class BenchCommittee(VotingCluster):
    """A committee with stores made, and the pods that will ask it."""

    behind: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        super().__post_init__()
        for pod in self.pods():
            self.write(f"{pod.name}.token", self.pod_token(uid=pod.uid, pod=pod.name).encode())
        for name in self.names:
            made = self.init(name=name)
            assert made.returncode == 0, made.stderr

    def set_of(self, name: str) -> str:
        """Of five sets in turn; a member that is alone also judges by one of these."""
        sets = [one for one in judge_sets.shipped().sets if one != judge_sets.ALL]
        return sets[(int(name) - 1) % len(sets)]

    @property
    def thresholds(self) -> Thresholds:
        """How many must approve."""
        return self.genesis.record.thresholds

    def pods(self) -> list[ObservedPod]:
        """Whose sidecars ask."""
        names = [f"bench-{number}" for number in range(PODS)]
        return [msgspec.structs.replace(self.pod(), uid=f"uid-{name}", name=name) for name in names]

    def session(self, name: str = "s") -> ObservedBatch:
        """As the base's, with these pods."""
        return msgspec.structs.replace(super().session(name), pods=tuple(self.pods()))

    async def start(
        self, stack: ExitStack, name: str, *, slow: bool = False
    ) -> "subprocess.Popen[bytes]":
        """Run a member, behind a proxy if ``slow``, until the stack ends."""
        extra = self.voting(name=name)
        if slow:
            host = f"127.0.0.{name}"
            extra += ["--listen", f"{host}:{self.behind}"]
            stack.enter_context(delayed(f"{host}:{self.port}", f"{host}:{self.behind}"))
        process = stack.enter_context(self.member(*extra, name=name))
        await self.observe(name)
        return process


@contextlib.contextmanager
def delayed(listen: str, target: str) -> Iterator[None]:
    """A real TCP proxy: what ``target`` says arrives DELAY_MS late at who called ``listen``."""
    arguments = ["-m", delay, listen, target, str(DELAY_MS)]
    with running(arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
