"""The member's room of reports: one last word a pod and rule, bounded, read by cursor."""

import asyncio
from datetime import timedelta

import pytest

from quorate.alerts import Rule
from quorate_consensus.judging import Overloaded
from quorate_consensus.reports import Reports
from quorate_io.member_api import REPORTS_PAGE, ObservedPod, Report, ReportsAnswer
from tests.fakes.vouching import NOW


def pod(number: int = 1) -> ObservedPod:
    """A protected pod."""
    return ObservedPod(uid=f"uid-{number}", namespace="team-a", name=f"chat-{number}", labels={})


def says(rule: Rule = Rule.FOREIGN_LISTENER, message: str = "a listener") -> Report:
    """Something that holds."""
    return Report(rule=rule, message=message, since=NOW)


def everything(room: Reports) -> dict[str, dict[Rule, bool]]:
    """By pod, what holds and what held."""
    found: dict[str, dict[Rule, bool]] = {}
    cursor, more = "", True
    while more:
        answer = room.after(cursor)
        cursor, more = answer.cursor, answer.more
        for one in answer.pods:
            found[one.uid] = {report.rule: report.until is None for report in one.reports}
    return found


def test_what_is_not_said_any_more_has_ended() -> None:
    """Its record stays, with the time, until the pod is gone: the operator may read it late."""
    room = Reports()
    assert room.put(pod(), [says(), says(Rule.AUDIT_LOG_NOT_WRITTEN)], NOW) == 2
    later = NOW + timedelta(seconds=5)
    assert room.put(pod(), [says(Rule.AUDIT_LOG_NOT_WRITTEN)], later) == 1
    (known,) = room.after("").pods
    assert {report.rule: report.until for report in known.reports} == {
        Rule.FOREIGN_LISTENER: later,
        Rule.AUDIT_LOG_NOT_WRITTEN: None,
    }
    assert room.counts() == {Rule.AUDIT_LOG_NOT_WRITTEN: 1}
    room.keep_only({})
    assert everything(room) == {}


def test_saying_the_same_again_is_no_news() -> None:
    """A report that is resent, or replayed, changes nothing and wakes nobody."""
    room = Reports()
    room.put(pod(), [says()], NOW)
    cursor = room.after("").cursor
    for seconds in range(1000):
        room.put(pod(), [says()], NOW + timedelta(seconds=seconds))
    answer = room.after(cursor)
    assert (answer.pods, answer.cursor, answer.whole) == ((), cursor, False)


def test_a_pod_without_anything_to_report_takes_no_room() -> None:
    """Every sidecar begins by saying that nothing holds."""
    room = Reports()
    assert room.put(pod(), [], NOW) == 0
    assert everything(room) == {}


def test_a_flood_of_pods_is_shed() -> None:
    """Who is known is still heard; a pod that goes makes room."""
    room = Reports(pods_max=2)
    for number in (1, 2):
        room.put(pod(number), [says()], NOW)
    with pytest.raises(Overloaded):
        room.put(pod(3), [says()], NOW)
    room.put(pod(1), [], NOW)
    room.keep_only({"uid-1"})
    room.put(pod(3), [says()], NOW)
    assert set(everything(room)) == {"uid-1", "uid-3"}


def test_reading_is_in_pages_and_sees_each_pods_last_word() -> None:
    """No page is larger than it may be, and nothing is missed or read twice."""
    room = Reports()
    for number in range(3 * REPORTS_PAGE):
        room.put(pod(number), [says()], NOW)
    first = room.after("")
    assert (first.whole, first.more, len(first.pods)) == (True, True, REPORTS_PAGE)
    room.put(pod(0), [], NOW)
    rest = [room.after(first.cursor)]
    while rest[-1].more:
        rest.append(room.after(rest[-1].cursor))
    assert not any(answer.whole for answer in rest)
    uids = [one.uid for answer in rest for one in answer.pods]
    assert len(uids) == len(set(uids)) == 2 * REPORTS_PAGE + 1
    assert rest[-1].pods[-1].uid == "uid-0"


STRANGE = ["", "x", "other.1", ".", "{}.²", "{}.-1", "{}.99", "{}.", "9" * 64]


@pytest.mark.parametrize("cursor", STRANGE)
def test_a_strange_cursor_means_from_the_beginning(cursor: str) -> None:
    """One of before a restart, one that is made up, one of the future."""
    room = Reports()
    room.put(pod(), [says()], NOW)
    epoch = room.after("").cursor.partition(".")[0]
    answer = room.after(cursor.replace("{}", epoch))
    assert answer.whole
    assert [one.uid for one in answer.pods] == ["uid-1"]


Reading = asyncio.Task[ReportsAnswer]


async def waiting(room: Reports, cursor: str, seconds: float = 5.0) -> Reading:
    """A reader that has begun to wait."""

    async def read() -> ReportsAnswer:
        await room.changed_after(cursor, seconds)
        return room.after(cursor)

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    return task


async def test_a_reader_waits_for_news() -> None:
    """It is answered when something changes, not before, and every reader that waits is."""
    room = Reports()
    cursor = room.after("").cursor
    tasks = [await waiting(room, cursor) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in tasks)
    room.put(pod(), [says()], NOW)
    for answer in await asyncio.wait_for(asyncio.gather(*tasks), 1):
        assert [one.uid for one in answer.pods] == ["uid-1"]


async def test_waiting_is_bounded_and_ends_with_the_member() -> None:
    """A question is answered after its time; at the end of the member at once."""
    room = Reports()
    cursor = room.after("").cursor
    assert (await asyncio.wait_for(await waiting(room, cursor, 0.01), 1)).pods == ()
    task = await waiting(room, cursor)
    room.close()
    assert (await asyncio.wait_for(task, 1)).pods == ()
    assert (await asyncio.wait_for(await waiting(room, cursor), 1)).pods == ()
