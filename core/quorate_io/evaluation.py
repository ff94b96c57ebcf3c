"""What the members' evaluations of one model come to together. No I/O.

A certificate takes a strict quorum over one identical statement. A requirement fails when so many
members say so that no such quorum can be without one of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from quorate import certificate
from quorate.consensus.history import EpochUnknown, History
from quorate.errors import QuorateError
from quorate.vouched import NoQuorum
from quorate_io import member_api
from quorate_io.member_api import EvaluateAnswer, RequirementResult
from quorate_io.member_channel import MemberRefused
from quorate_io.member_channels import failure

MEMBERS_DISAGREE: Final = "MembersDisagree"
MEMBER_UNAVAILABLE: Final = "MemberUnavailable"
_OF_THE_QUESTION: Final = (400, 413)
"""Statuses that speak of what was asked, not of the member."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the members answered together.

    ``certificate``: with the signatures of a strict quorum, whose subject and time nobody has
    compared. Without one, and without a ``failure``, some of ``requirements`` are False. With a
    ``failure`` it is not known how the model stands: ``reason`` is MembersDisagree,
    MemberUnavailable, or why so many refused the question that no quorum can be had.
    ``answered`` of ``members`` had answered when it was decided; the rest may be just slower.
    """

    policy_digest: str
    requirements: tuple[RequirementResult, ...]
    certificate: str | None
    renew_at: datetime
    """When it pays to ask again: one liar alone can neither hurry nor delay that."""
    answered: int
    members: int
    failure: str = ""
    reason: str = ""


class Counting:
    """Takes the members' answers one by one."""

    def __init__(self, history: History, issued_at: datetime) -> None:
        self._thresholds = history.head.record.thresholds
        self._issued_at = issued_at
        self._answers: dict[str, EvaluateAnswer] = {}
        self._failures: dict[str, QuorateError] = {}
        self._split: QuorateError | None = None

    def take(self, member: str, said: bytes | QuorateError) -> None:
        """One member's answer, or why there is none."""
        if isinstance(said, QuorateError):
            self._failures[member] = said
            return
        try:
            self._answers[member] = member_api.decode(
                said, EvaluateAnswer, bytes_max=member_api.EVALUATION_BYTES, what="evaluation"
            )
        except QuorateError as error:
            self._failures[member] = error

    def decided(self, history: History) -> Evaluation | None:
        """What it comes to, as soon as more answers cannot change it; None before.

        Raises EpochUnknown if members signed for an epoch that ``history`` does not hold.
        """
        signed = self._signed()
        if len(signed) >= self._thresholds.strict:
            try:
                return self._evaluation(certificate.combine(signed, history).decode())
            except NoQuorum as error:
                self._split = error
        if any(count > self._veto for count in self._denials().values()):
            return self._evaluation(None)
        return None

    def is_open(self, waiting: int) -> bool:
        """Whether ``waiting`` more answers could decide it."""
        certifiable = len(self._signed()) + waiting >= self._thresholds.strict
        deniable = max(self._denials().values(), default=0) + waiting > self._veto
        return certifiable or deniable

    def failed(self, epoch: EpochUnknown | None = None) -> Evaluation:
        """That it was not decided, and why."""
        answered, n, strict = len(self._answers), self._thresholds.n, self._thresholds.strict
        if answered >= strict:
            why = str(epoch or self._disagreement())
            return self._failure(f"{answered} of {n} members answered: {why}", MEMBERS_DISAGREE)
        why = str(failure(self._failures, answered, n, f"{strict} must sign"))
        return self._failure(why, self._refusal())

    @property
    def _veto(self) -> int:
        """How many members may say no while a quorum can still say yes."""
        return self._thresholds.n - self._thresholds.strict

    def _signed(self) -> list[bytes]:
        envelopes = (answer.certificate for answer in self._answers.values())
        return [envelope.encode("utf-8", "replace") for envelope in envelopes if envelope]

    def _alike(self) -> list[EvaluateAnswer]:
        """The answers under the policy that most judged under."""
        answers = list(self._answers.values())
        if not answers:
            return []
        digest = _most_common(answer.policy_digest for answer in answers)
        return [answer for answer in answers if answer.policy_digest == digest]

    def _denials(self) -> Counter[str]:
        """How many deny each requirement."""
        return Counter(
            name
            for answer in self._alike()
            for name, result in _by_name(answer).items()
            if result.status == "False"
        )

    def _evaluation(self, envelope: str | None) -> Evaluation:
        alike = self._alike()
        times = sorted(answer.renew_at for answer in alike)
        return Evaluation(
            policy_digest=alike[0].policy_digest,
            requirements=tuple(self._requirements(alike)),
            certificate=envelope,
            renew_at=times[min(self._thresholds.r, len(times) - 1)],
            answered=len(self._answers),
            members=self._thresholds.n,
        )

    def _requirements(self, alike: Sequence[EvaluateAnswer]) -> Iterable[RequirementResult]:
        denials = self._denials()
        for name in _most_common(tuple(_by_name(answer)) for answer in alike):
            status = "False" if denials[name] > self._veto else "True"
            said = (_by_name(answer).get(name) for answer in alike)
            matching = [result for result in said if result and result.status == status]
            if matching:
                yield _most_common(matching)

    def _failure(self, why: str, reason: str) -> Evaluation:
        answered, n = len(self._answers), self._thresholds.n
        return Evaluation("", (), None, self._issued_at, answered, n, why, reason)

    def _disagreement(self) -> str:
        signed, strict = len(self._signed()), self._thresholds.strict
        said = [str(self._split) if self._split else f"{signed} certified; {strict} must"]
        for name in sorted(self._denials()):
            deny = sorted(
                member
                for member, answer in self._answers.items()
                if (found := _by_name(answer).get(name)) and found.status == "False"
            )
            said.append(f"{name} is denied by {', '.join(deny)}")
        return "; ".join(said)

    def _refusal(self) -> str:
        refused = [
            error.reason
            for error in self._failures.values()
            if isinstance(error, MemberRefused) and error.status in _OF_THE_QUESTION
        ]
        return _most_common(refused) if len(refused) > self._veto else MEMBER_UNAVAILABLE


def unanswered(why: QuorateError, issued_at: datetime, members: int) -> Evaluation:
    """That nobody could be asked."""
    return Evaluation("", (), None, issued_at, 0, members, str(why), MEMBER_UNAVAILABLE)


def _by_name(answer: EvaluateAnswer) -> Mapping[str, RequirementResult]:
    return {result.name: result for result in answer.requirements}


def _most_common(values: Iterable[T]) -> T:
    """Of equally common ones the same, however they came. Of nothing an error: there is some."""
    counts = Counter(values)
    return max(counts, key=lambda value: (counts[value], repr(value)))
