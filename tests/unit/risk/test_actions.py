"""Actions of an answer, and the request that asks about each of them."""

import pytest

from quorate.consensus import request as requests
from quorate.consensus.conversation import NAME_CHARS, Said, Wanted
from quorate.consensus.request import CALLS_MAX, Band, Request, Role
from quorate.consensus.wire import REQUEST_BYTES
from quorate.errors import InvalidInput
from quorate.risk.actions import (
    ARGUMENTS,
    TOO_LARGE,
    TOO_MANY,
    TOOL_NAME,
    Action,
    Unjudgeable,
    actions,
    draft,
    principal_of,
)
from quorate.risk.rules import ActionClass, RiskTable, Tool
from tests.fakes.asking import DIGESTS, PRINCIPAL

TABLES = (RiskTable(True, (Tool("send_mail", "mail", ActionClass.SEND),)),)
HISTORY = (Said(Role.SYSTEM, "be kind"), Said(Role.USER, "tell Ana"))
MAIL = Wanted("c1", "send_mail", '{"to": "ana@example.com"}')


def answer(*calls: Wanted, text: str = "") -> Said:
    """What the model answered."""
    return Said(Role.ASSISTANT, text, calls)


def only(said: Said | None) -> Action | Unjudgeable:
    """The one action of an answer."""
    (one,) = actions(HISTORY, said, TABLES)
    return one


def drafted(action: Action | Unjudgeable, said: Said | None, history: object = HISTORY) -> Request:
    """Its request, read again."""
    assert isinstance(action, Action)
    data = draft(action, history, said, PRINCIPAL)  # type: ignore[arg-type]
    assert isinstance(data, bytes)
    return requests.parse(data)


def test_a_call_is_asked_about_with_its_conversation() -> None:
    """Its tool, class, arguments and risk, whose it is, and what was said."""
    said = answer(MAIL)
    request = drafted(only(said), said)
    assert (request.tool, request.capability, request.action_class) == ("send_mail", "mail", "send")
    assert request.arguments == {"to": "ana@example.com"}
    assert request.principal == PRINCIPAL
    assert [one.content for one in request.conversation] == ["be kind", "tell Ana"]
    assert (request.risk.score, request.risk.band) == (560, Band.MEDIUM)


def test_an_answer_is_an_action_of_its_own() -> None:
    """Before it is there, without calls, and beside them if it says something as well."""
    for said in (None, answer(text="done"), answer()):
        one = only(said)
        assert isinstance(one, Action)
        assert (one.tool, one.assessment.action_class) == ("", ActionClass.ANSWER)
    both = actions(HISTORY, answer(MAIL, text="I write to her"), TABLES)
    assert [one.tool for one in both if isinstance(one, Action)] == ["", "send_mail"]
    request = drafted(only(None), None)
    assert (request.tool, request.capability, request.arguments) == ("", "chat", {})


def test_calls_before_are_shown() -> None:
    """What is done in two calls of one answer is seen as one, and later calls are not: they are
    asked about with this one in their conversation."""
    said = answer(
        Wanted("c1", "read_file", '{"path": "a"}'), MAIL, Wanted("c3", "x", "{}"), text="first"
    )
    found = actions(HISTORY, said, TABLES)
    shown = [drafted(one, said).conversation[-1] for one in found]
    assert [one.content for one in shown] == ["first"] * 4
    assert [[call.tool for call in one.calls] for one in shown] == [
        [],
        [],
        ["read_file"],
        ["read_file", "send_mail"],
    ]


HOSTILE: dict[str, tuple[Wanted, str]] = {
    "no JSON": (Wanted("c", "t", "rm -rf"), ARGUMENTS),
    "two readings": (Wanted("c", "t", '{"to": "a", "to": "b"}'), ARGUMENTS),
    "no name": (Wanted("c", "", "{}"), TOOL_NAME),
    "a name too long": (Wanted("c", "t" * (NAME_CHARS + 1), "{}"), TOOL_NAME),
    "a name that turns around": (Wanted("c", "abc\u202e", "{}"), TOOL_NAME),
    "half a character": (Wanted("c", "\ud800", "{}"), TOOL_NAME),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_cannot_be_asked_about_is_said(what: str) -> None:
    """A reason, and none of the model's own words."""
    call, reason = HOSTILE[what]
    found = only(answer(call))
    assert isinstance(found, Unjudgeable)
    assert found.reason == reason
    assert "rm" not in found.message.split()


def test_arguments_must_fit_whole() -> None:
    """A part of them would be another action: nobody is asked."""
    said = answer(Wanted("c", "write", '{"text": "' + "x" * (REQUEST_BYTES - 100) + '"}'))
    found = only(said)
    assert isinstance(found, Action)
    refused = draft(found, HISTORY, said, PRINCIPAL)
    assert isinstance(refused, Unjudgeable)
    assert refused.reason == TOO_LARGE


def test_calls_are_bounded() -> None:
    """Those beyond are not asked about."""
    said = answer(*(Wanted(f"c{n}", "t", "{}") for n in range(CALLS_MAX + 2)))
    found = actions(HISTORY, said, TABLES)
    assert [one.reason for one in found if isinstance(one, Unjudgeable)] == [TOO_MANY] * 2
    assert len(found) == CALLS_MAX + 2


def test_a_long_history_leaves_room_for_the_action() -> None:
    """The request is full to its bound, never beyond it, and says how much it leaves out."""
    said = answer(MAIL)
    history = [Said(Role.USER, f"{n} " + "x" * 500) for n in range(1000)]
    (found,) = actions(history, said, TABLES)
    assert isinstance(found, Action)
    data = draft(found, history, said, PRINCIPAL)
    assert isinstance(data, bytes)
    assert REQUEST_BYTES - 1024 < len(data) <= REQUEST_BYTES
    request = requests.parse(data)
    assert request.omitted > 800
    assert request.conversation[-1].content == history[-1].text
    assert "long conversation" in found.assessment.reasons


def test_results_of_tools_add_to_the_risk() -> None:
    """An answer after a result, and a call after one."""
    history = (*HISTORY, answer(Wanted("c0", "web_fetch", "{}")), Said(Role.TOOL, "hi", (), "c0"))
    before, after = only(answer(MAIL)), actions(history, answer(MAIL), TABLES)[0]
    assert isinstance(before, Action)
    assert isinstance(after, Action)
    assert after.assessment.risk.score > before.assessment.risk.score


def test_a_principal_is_what_the_pod_is() -> None:
    """Policies sorted and each once, so that one pod is one principal."""
    fields = {
        "namespace": "team-a",
        "workload": "chat-0",
        "model": "demo",
        "manifest_digest": PRINCIPAL.manifest_digest,
    }
    shuffled = [*reversed(DIGESTS), DIGESTS[0]]
    assert principal_of(**fields, policies=shuffled) == PRINCIPAL
    for changes in ({"policies": ()}, {"policies": DIGESTS, "namespace": ""}):
        with pytest.raises(InvalidInput):
            principal_of(**(fields | changes))
