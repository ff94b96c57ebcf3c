"""What a committee says to a pod, from what its members say one by one.

A state needs r + 1 members that say the same: one of them at least is honest. Not a strict quorum:
with r liars and r members down a pod would hear nothing, and a state grants nothing by itself, for
the certificates in it are verified one by one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from quorate.consensus.epoch import Epoch, material_of
from quorate.consensus.history import EpochUnknown, History
from quorate.signed_state.reading import Word
from quorate.signed_state.statement import PodState, StateDenial, StateDenied
from quorate.vouched import NoQuorum, witnessed


def agree(words: Iterable[Word], history: History) -> PodState:
    """What r + 1 members say, each with its newest word. The order of ``words`` changes nothing.

    ``words`` were read with ``history`` or an earlier one. r is that of the newest epoch that one
    of them names, and who is no member of it, or no longer believed, is not heard. What is agreed
    lives as long as somebody honest says at least.

    Raises StateDenied if r + 1 deny, whatever the reasons; NoQuorum while too few say the same.
    """
    epoch, heard = _heard(words, history)
    needed = witnessed(epoch.record.thresholds)
    denials = [word.denial for word in heard if word.denial is not None]
    if len(denials) >= needed:
        raise _denied(denials, epoch.record.thresholds.n)
    alike: dict[tuple[Any, ...], list[PodState]] = {}
    for word in heard:
        if word.state is not None:
            alike.setdefault(_content(word.state), []).append(word.state)
    agreed = [_together(states, needed) for states in alike.values() if len(states) >= needed]
    if not agreed:
        raise _no_quorum(needed, len(denials), [len(states) for states in alike.values()])
    # Two groups while a change is on its way: the one that was said last.
    return max(agreed, key=lambda state: (state.issued_at, state.expires_at, repr(state)))


def _heard(words: Iterable[Word], history: History) -> tuple[Epoch, list[Word]]:
    """The newest epoch that is named, and the newest word of each of its members."""
    known: list[tuple[Epoch, Word]] = []
    for word in words:
        try:
            known.append((history.find(word.epoch), word))
        except EpochUnknown:
            continue
    epochs = [epoch for epoch, _ in known]
    epoch = max(epochs, key=lambda one: one.record.number, default=history.head)
    believed = {material_of(key) for key in history.standing(epoch).values()}
    newest: dict[str, Word] = {}
    for _, word in known:
        before = newest.get(word.member)
        if word.member in believed and (before is None or _later(word, before)):
            newest[word.member] = word
    return epoch, list(newest.values())


def _later(word: Word, other: Word) -> bool:
    """Of two words at one instant a denial counts: its member contradicts itself."""

    def rank(one: Word) -> tuple[Any, ...]:
        return one.issued_at, one.denial is not None, repr(one)

    return rank(word) > rank(other)


def _content(state: PodState) -> tuple[Any, ...]:
    """What must be equal. Times and certificates are each member's own."""
    return state.rules, state.manifest_digest, state.policy_digests, state.shard_size


def _together(states: Sequence[PodState], needed: int) -> PodState:
    """With the ``needed`` latest of each time: no later than what somebody honest said, and, if as
    many honest members are among them, no earlier."""
    return replace(
        states[0],
        issued_at=sorted(state.issued_at for state in states)[-needed],
        expires_at=sorted(state.expires_at for state in states)[-needed],
    )


def _denied(denials: Sequence[StateDenial], n: int) -> StateDenied:
    """The most common reason, and in it the most common message."""
    reason = _most_common([denial.reason for denial in denials])
    said = [denial.message for denial in denials if denial.reason == reason]
    return StateDenied(reason, f"{_most_common(said)} (said by {len(said)} of {n} members)")


def _most_common(texts: Sequence[str]) -> str:
    counts = Counter(texts)
    return max(counts, key=lambda text: (counts[text], text))


def _no_quorum(needed: int, denials: int, alike: Sequence[int]) -> NoQuorum:
    heard = [f"{count} allow alike" for count in sorted(alike, reverse=True)]
    heard += [f"{denials} deny"] if denials else []
    return NoQuorum(
        f"{needed} members must say the same of this pod; {', '.join(heard) or 'none was heard'}",
        said=max([denials, *alike]),
        needed=needed,
        different=len(heard),
    )
