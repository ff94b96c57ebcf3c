"""All that one real member can say: its state machine under every order of events.

Two asks about one request, every verdict of its judges, confirmations of the disk, and one crash,
in all orders. What comes out is the set of words that ``explorer.py`` lets an honest member speak.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from quorate.consensus import chain
from quorate.consensus.chain import ChoiceKept, Endorsed, Keep, Link, Proposed
from quorate.consensus.epoch import Change, EpochRecord, open_epoch
from quorate.consensus.keys import KeySignatures
from quorate.consensus.member import Judge, Member, Reply
from quorate.consensus.wire import Ballot, Verdict
from tests.fakes.ballots import JUDGES, Committee, digest
from tests.fakes.member_store import APPROVAL, DENIAL, Host, answers

Word = tuple[tuple[int, str], ...]
"""What was said, in order: the ask or the reply, and the verdict or the record."""


class Digest:
    """A vote key in name only: nobody verifies here, and there are many orders."""

    public = bytes(32)

    def sign(self, data: bytes) -> bytes:
        """Stands for a signature."""
        return hashlib.sha256(data).digest()


class Step(NamedTuple):
    """One event: its kind, and which ask or verdict."""

    kind: str
    which: int = 0


COMMITTEE = Committee()
DELEGATION = COMMITTEE.delegation("m0")


def said_by_members(*, keep: bool) -> set[Word]:
    """Every word of a member whose store survives its crash, or does not."""
    words: set[Word] = set()
    todo: list[tuple[Step, ...]] = [()]
    while todo:
        story = todo.pop()
        host, word = tell(story, keep=keep)
        words.add(word)
        todo += [(*story, step) for step in possible(host, story)]
    return words


def tell(story: tuple[Step, ...], *, keep: bool) -> tuple[Host, Word]:
    """A fresh member after ``story``, and what it said."""
    host = Host(Member("m0", COMMITTEE.epoch, 1, DELEGATION, JUDGES), Digest())
    word: list[tuple[int, str]] = []
    for step in story:
        for reply, answer in answers(apply(host, step, keep=keep)).items():
            if isinstance(answer, Ballot):
                word.append((reply, answer.verdict.name))
    return host, tuple(word)


def apply(host: Host, step: Step, *, keep: bool) -> list[Reply]:
    """Let one event happen; what is answered."""
    match step.kind:
        case "ask":
            effects = host.ask(step.which)
        case "judge":
            asked = [effect for effect in host.effects if isinstance(effect, Judge)][-1:]
            effects = host.judge(asked, APPROVAL if step.which else DENIAL)
        case "sync":
            effects = host.sync(step.which)
        case _:
            host.crash(DELEGATION, Digest(), keep=keep)
            effects = []
    return [effect for effect in effects if isinstance(effect, Reply)]


def possible(host: Host, story: tuple[Step, ...]) -> Iterator[Step]:
    """What can happen next: every ask once, one crash, the disk in any steps."""
    for ask in (1, 2):
        if Step("ask", ask) not in story:
            yield Step("ask", ask)
    if host.member.waiting:
        for verdict in Verdict:
            yield Step("judge", verdict)
    for unsent in host.member.unsent:
        yield Step("sync", unsent.sequence)
    if Step("crash") not in story:
        yield Step("crash")


RECORDS = [COMMITTEE.next_record(Change.POLICIES, policies=digest(char)) for char in "12"]


def said_of_epochs(*, keep: bool) -> set[frozenset[str]]:
    """Which of two records for one number a member signs, over every order of proposals, words of
    the disk and one crash."""
    words: set[frozenset[str]] = set()
    todo: list[tuple[Step, ...]] = [()]
    while todo:
        story = todo.pop()
        words.add(choose(story, keep=keep))
        if len(story) < 5:
            steps = [Step("propose", 0), Step("propose", 1), Step("kept"), Step("crash")]
            todo += [(*story, s) for s in steps if s.kind != "crash" or s not in story]
    return words


def choose(story: tuple[Step, ...], *, keep: bool) -> frozenset[str]:
    """The policies of the records that a member signs in ``story``."""
    link = Link("m0", COMMITTEE.epoch)
    asked: list[str] = []
    safe: str | None = None
    signed: set[str] = set()
    for step in story:
        match step.kind:
            case "propose":
                event: chain.Event = Proposed(step.which, RECORDS[step.which])
            case "kept" if asked:
                safe = asked[-1]
                event = ChoiceKept(safe)
            case "crash":
                safe = safe if keep else None
                link, asked = Link("m0", COMMITTEE.epoch, chosen=safe), []
                continue
            case _:
                continue
        link, effects = chain.step(link, event, Digest(), KeySignatures())
        asked += [effect.digest for effect in effects if isinstance(effect, Keep)]
        signed |= {_record(effect.reply) for effect in effects if isinstance(effect, Endorsed)}
    return frozenset(signed)


def _record(number: int) -> str:
    record: EpochRecord = RECORDS[number]
    return open_epoch(record).record.policies
