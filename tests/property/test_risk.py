"""Risk and requests under arbitrary conversations, answers and policies."""

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quorate.consensus import request as requests
from quorate.consensus import wire
from quorate.consensus.conversation import NOBODY, Said, Wanted, excerpt
from quorate.consensus.request import BANDS, Band, Role
from quorate.consensus.wire import REQUEST_BYTES
from quorate.risk.actions import Action, Unjudgeable, actions, draft
from quorate.risk.rules import (
    ActionClass,
    Floor,
    FloorKind,
    RiskTable,
    Tool,
    Weight,
)
from quorate.risk.score import Signals, assess
from tests.fakes.asking import PRINCIPAL

anything = st.text(st.characters(), max_size=40)
"""Surrogates too: nobody promised that a text is one."""
names = st.sampled_from(["db_drop", "db_read", "send", "Send", "", "x" * 300]) | anything
scalars = st.none() | st.booleans() | st.integers() | st.floats() | anything
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=6,
)
arguments = (
    st.dictionaries(anything, values, max_size=3).map(json.dumps)
    | anything
    | st.sampled_from(["{", '{"a":1,"a":2}', "[" * 5000, '{"a":' * 40 + "1" + "}" * 40])
)
wanted = st.builds(Wanted, names, names, arguments)
texts = anything | st.builds(lambda s, n: s * n, anything, st.sampled_from([1, 500, 5000]))
said = st.builds(
    Said,
    st.sampled_from(list(Role)),
    texts,
    st.lists(wanted, max_size=3).map(tuple)
    | st.lists(wanted, min_size=1).map(lambda x: (*x,) * 40),
    names,
    names,
)
histories = st.lists(said, max_size=6) | st.lists(said, min_size=1, max_size=2).map(
    lambda some: some * 300
)
answers = st.none() | st.builds(
    Said, st.just(Role.ASSISTANT), texts, st.lists(wanted, max_size=4).map(tuple)
)

tools = st.builds(
    Tool,
    st.sampled_from(["db_*", "db_drop", "send", "d*"]),
    st.sampled_from(["database", "mail"]),
    st.sampled_from([c for c in ActionClass if c not in ("answer", "unknown")]),
    st.booleans(),
)
floors = st.one_of(
    st.builds(Floor, st.just(FloorKind.CAPABILITY), st.sampled_from(["database", "undeclared"]),
              st.sampled_from(BANDS)),
    st.builds(Floor, st.just(FloorKind.TOOL), st.sampled_from(["DB_*", "send"]),
              st.sampled_from(BANDS)),
    st.builds(Floor, st.just(FloorKind.ACTION_CLASS), st.sampled_from(list(ActionClass)),
              st.sampled_from(BANDS)),
)  # fmt: skip
weights = st.builds(Weight, st.sampled_from(list(ActionClass)), st.integers(0, 1000))


def tables(platform: st.SearchStrategy[bool]) -> st.SearchStrategy[RiskTable]:
    """What a policy says."""
    return st.builds(
        RiskTable,
        platform,
        st.lists(tools, max_size=3).map(tuple),
        st.lists(floors, max_size=3).map(tuple),
        st.lists(weights, max_size=3).map(tuple),
    )


policies = st.lists(tables(st.booleans()), max_size=3)
signals = st.builds(
    Signals,
    st.sampled_from(["", "db_drop", "db_read", "send", "other"]),
    st.integers(0, 100_000),
    st.booleans(),
    st.booleans(),
    st.frozensets(st.sampled_from(["secrets", "pii", "other"])),
)


@settings(max_examples=60, deadline=None)
@given(histories, answers, policies)
@pytest.mark.requirement("a hostile conversation is asked about within its bound, or denied")
def test_every_conversation_comes_to_requests_or_reasons(
    history: list[Said], answer: Said | None, said_by: list[RiskTable]
) -> None:
    """Whatever was said: never an error, never beyond the bound, one request or one reason for each
    call; and every result in it has a tool that was called, or nobody."""
    found = actions(history, answer, said_by)
    calls = answer.calls if answer else ()
    assert len(found) in (len(calls), len(calls) + 1)
    called = {call.tool for one in (*history, *([answer] if answer else [])) for call in one.calls}
    for one in found:
        if isinstance(one, Unjudgeable):
            continue
        data = draft(one, history, answer, PRINCIPAL)
        # No history keeps an action whose own arguments fit from being asked about.
        assert isinstance(data, bytes)
        assert len(data) <= REQUEST_BYTES
        request = requests.parse(data)
        assert 0 <= request.omitted <= len(history) + 1
        results = {m.tool for m in request.conversation if m.role is Role.TOOL}
        assert results <= called | {NOBODY}


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(0, 70_000))
def test_an_excerpt_is_the_end(history: list[Said], room: int) -> None:
    """What is shown whole is the newest, in order; what is not is counted."""
    shown = excerpt(history, room)
    assert shown.omitted <= len(history)
    whole = history[shown.omitted :]
    texts_ = [one.text.encode("utf-8", "replace").decode() for one in whole]
    kept = [one.content for one in shown.messages if one.content]
    expected = [text for text in texts_ if text]
    assert kept[len(kept) - len(expected) :] == expected
    assert len(kept) - len(expected) in (0, 1)


readable = st.dictionaries(
    st.sampled_from(["to", "amount", "path"]),
    st.integers(-1000, 1000) | st.text("abcé\n", max_size=5) | st.lists(st.integers(0, 3)),
    max_size=3,
)


def asked(history: list[Said], given_: dict[str, Any], spaces: int | None) -> bytes:
    """The digest of a call with these arguments, written with so many spaces."""
    text = json.dumps(given_, indent=spaces, ensure_ascii=spaces is None)
    answer = Said(Role.ASSISTANT, "", (Wanted("c1", "send", text),))
    (one,) = actions(history, answer, ())
    assert isinstance(one, Action)
    data = draft(one, history, answer, PRINCIPAL)
    assert isinstance(data, bytes)
    return wire.request_digest(data)


@settings(max_examples=60, deadline=None)
@given(st.lists(said, max_size=3), readable, readable, st.integers(0, 4))
@pytest.mark.requirement("canonical request digest")
def test_one_action_has_one_digest(
    history: list[Said], first: dict[str, Any], second: dict[str, Any], spaces: int
) -> None:
    """However its arguments are written and ordered; and other arguments are another action."""
    turned = dict(reversed(first.items()))
    assert asked(history, first, None) == asked(history, turned, spaces)
    assume(first != second)
    assert asked(history, first, None) != asked(history, second, None)


def rank(band: Band) -> int:
    """Its place in the order of bands."""
    return BANDS.index(band)


@given(signals, policies, tables(st.just(False)))
@pytest.mark.requirement("risk: nothing lowers a band")
def test_a_tenants_policy_only_raises(
    one: Signals, said_by: list[RiskTable], more: RiskTable
) -> None:
    """Whatever it says, added to whatever others say."""
    before, after = (assess(one, every).risk for every in (said_by, [*said_by, more]))
    assert after.score >= before.score
    assert rank(after.band) >= rank(before.band)


@given(signals, policies, st.booleans(), st.lists(floors, max_size=3))
@pytest.mark.requirement("risk: nothing lowers a band")
def test_floors_only_raise(
    one: Signals, said_by: list[RiskTable], platform: bool, more: list[Floor]
) -> None:
    """Of whomever. The score stays."""
    before = assess(one, said_by)
    after = assess(one, [*said_by, RiskTable(platform, floors=tuple(more))])
    assert after.risk.score == before.risk.score
    assert rank(after.risk.band) >= rank(before.risk.band)


@given(signals, policies, st.randoms())
def test_the_order_of_policies_is_no_matter(
    one: Signals, said_by: list[RiskTable], draw: Any
) -> None:
    """One set of policies is one assessment, and one digest."""
    shuffled = list(said_by)
    draw.shuffle(shuffled)
    first, second = assess(one, said_by), assess(one, shuffled)
    assert (first.capability, first.action_class, first.risk) == (
        second.capability,
        second.action_class,
        second.risk,
    )


@given(signals, policies)
def test_signals_only_add(one: Signals, said_by: list[RiskTable]) -> None:
    """Whatever is known beside the tool makes nothing milder, and what is drafted is accepted:
    the band is never below what the score alone says."""
    bare = assess(Signals(one.tool), said_by).risk
    full = assess(one, said_by).risk
    assert full.score >= bare.score
    assert rank(full.band) >= rank(bare.band)


@given(signals)
def test_without_policies_no_tool_is_local(one: Signals) -> None:
    """What nobody declared, everybody is asked about."""
    assume(one.tool)
    assert rank(assess(one, []).risk.band) >= rank(Band.HIGH)
