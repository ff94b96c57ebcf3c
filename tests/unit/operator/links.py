"""Members as the operator reaches them, in memory: each answers what it is told to."""

from collections import deque
from typing import cast

from quorate.errors import QuorateError, Unavailable
from quorate_io.member_api import ObservedAnswer, ObservedBatch, PodReports, ReportsAnswer
from quorate_io.operator_client import MemberLink, OperatorClient


class Link:
    """One member. It fails as it is told to, one failure a call; then it hears whatever it is told.
    What it was asked for beyond ``calls`` ends the test that runs it."""

    def __init__(self, name: str = "member-0", failures: list[QuorateError | None] | None = None):
        self.name = name
        self.heard: list[ObservedBatch] = []
        self.sent: list[ObservedBatch] = []
        self.failures = deque(failures or ())
        self.calls: int | None = None
        self.answers: deque[ReportsAnswer | Exception] = deque()
        self.cursors: list[str] = []

    async def observe(self, batch: ObservedBatch) -> ObservedAnswer:
        """Take a batch in."""
        if self.calls is not None and len(self.sent) >= self.calls:
            raise Stop
        self.sent.append(batch)
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure
        self.heard.append(batch)
        return ObservedAnswer(session=batch.session, sequence=batch.sequence, ready=True)

    async def reports(self, cursor: str = "") -> ReportsAnswer:
        """Answer what was given to it."""
        self.cursors.append(cursor)
        if not self.answers:
            raise Unavailable("nothing to say")
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tells(self, *pods: PodReports, whole: bool = True, more: bool = False) -> None:
        """Have it tell of these pods next."""
        self.answers.append(ReportsAnswer(cursor="e.1", whole=whole, more=more, pods=pods))


class Stop(Exception):
    """The test has seen enough."""


class Links:
    """The client: who the members are, and how to reach each."""

    def __init__(self, *names: str) -> None:
        self.links = {name: Link(name) for name in names}

    def members(self) -> tuple[MemberLink, ...]:
        """All of them now."""
        return tuple(cast(MemberLink, link) for link in self.links.values())

    @property
    def client(self) -> OperatorClient:
        """As the operator takes it."""
        return cast(OperatorClient, self)
