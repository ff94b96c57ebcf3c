"""Freezes at the members: sending one to all of them, and what each holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from quorate.consensus import freeze
from quorate.consensus.epoch import Epoch
from quorate.consensus.freeze import SignedOrder
from quorate.consensus.keys import KeySignatures
from quorate.errors import InvalidInput, QuorateError, Unavailable
from quorate.evidence.intoto.timestamps import format_utc
from quorate_cli import exit_codes
from quorate_cli.command import Result
from quorate_cli.committee.survey import Heard, Members, Survey
from quorate_cli.layout import mark
from quorate_io import member_api
from quorate_io.member_api import FreezeHeard
from quorate_io.member_channel import MemberRefused, Request

TIMEOUT: Final = 6.0
PAGES_MAX: Final = freeze.ORDERS_MAX // member_api.FREEZES_PAGE + 1


@dataclass(frozen=True, slots=True)
class Held:
    """A freeze, and the members that hold it."""

    signed: SignedOrder
    members: tuple[str, ...]


async def send(members: Members, make: Callable[[Epoch], SignedOrder]) -> Result:
    """Send an order to every member as soon as it answers; say which took it.

    ``make`` is called until it gives the order for an epoch that a member proved: one that is
    behind keeps nobody. Raises what it raised last, if it never did.
    """
    signed: SignedOrder | None = None
    refused_here: QuorateError | None = None
    answers: dict[str, bytes | QuorateError] = {}

    async def act(one: Heard) -> None:
        nonlocal signed, refused_here
        if signed is None and one.history is not None:
            try:
                signed = make(one.history.head)
            except QuorateError as error:
                refused_here = error
        if signed is not None:
            answers[one.name] = (await members.call_all((one.name,), _request(signed)))[one.name]

    survey = await members.survey(act)
    if signed is None:
        raise refused_here or Unavailable("no member answered by itself")
    return _result(survey, signed, answers)


def _request(signed: SignedOrder) -> Request:
    body, path = member_api.encode(signed), member_api.FREEZES_PATH
    return Request("POST", path, member_api.ANSWER_BYTES, TIMEOUT, body)


def _result(
    survey: Survey, signed: SignedOrder, answers: Mapping[str, bytes | QuorateError]
) -> Result:
    taken: dict[str, bool] = {}
    problems = {one.name: one.problem for one in survey.heard if not one.answers}
    refused = 0
    for name, answer in answers.items():
        try:
            taken[name] = _kept(answer, signed)
        except QuorateError as error:
            problems[name] = error.message
            refused += isinstance(error, MemberRefused)
    # One of r + 1 is honest, and passes it on.
    enough = len(taken) > survey.head.record.thresholds.r
    code = exit_codes.OK if enough else exit_codes.UNREACHABLE
    if not taken and refused and refused == len(answers):
        code = exit_codes.DENIED
    return Result(_lines(signed, taken, problems, enough), _document(signed, taken, problems), code)


async def held(members: Members, survey: Survey, now: datetime) -> tuple[list[Held], list[str]]:
    """The freezes in force at the members that answered, as far as they verify; and problems."""
    orders: dict[str, SignedOrder] = {}
    holders: dict[str, list[str]] = {}
    problems = [f"{one.name}: {one.problem}" for one in survey.heard if not one.answers]
    for name in survey.answering:
        try:
            for signed in await _all(members, name):
                if _is_in_force(signed, survey.head, now):
                    orders[signed.order.order_id] = signed
                    holders.setdefault(signed.order.order_id, []).append(name)
        except QuorateError as error:
            problems.append(f"{name}: {error.message}")
    found = [Held(signed, tuple(holders[one])) for one, signed in sorted(orders.items())]
    return sorted(found, key=lambda one: one.signed.order.issued_at), problems


def described(signed: SignedOrder) -> dict[str, Any]:
    """An order, for programs."""
    order = signed.order
    return {
        "id": order.order_id,
        "scope": str(order.scope),
        "name": order.name,
        "reason": order.reason,
        "issuedAt": format_utc(order.issued_at),
        "expiresAt": format_utc(order.expires_at),
    }


async def _all(members: Members, name: str) -> list[SignedOrder]:
    """All that a member holds, page by page. Raises QuorateError."""
    found: list[SignedOrder] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        query = ((member_api.CURSOR_PARAMETER, cursor),) if cursor else ()
        request = Request(
            "GET", member_api.FREEZES_PATH, member_api.FREEZES_BYTES, TIMEOUT, query=query
        )
        answer = (await members.call_all((name,), request))[name]
        if isinstance(answer, QuorateError):
            raise answer
        page = member_api.read_freezes(answer)
        found += page.orders
        cursor = page.cursor
        if not page.more:
            break
    return found


def _is_in_force(signed: SignedOrder, head: Epoch, now: datetime) -> bool:
    order = signed.order
    if order.order_id in head.record.released or order.expires_at <= now:
        return False
    try:
        freeze.verify(signed, head, KeySignatures())
    except QuorateError:
        return False
    return True


def _kept(answer: bytes | QuorateError, signed: SignedOrder) -> bool:
    """Whether it outlives the member's process. Raises QuorateError if it was not taken."""
    if isinstance(answer, QuorateError):
        raise answer
    heard = member_api.decode(
        answer, FreezeHeard, bytes_max=member_api.ANSWER_BYTES, what="freeze answer"
    )
    if heard.order_id != signed.order.order_id:
        raise InvalidInput("took another order", field="freeze answer")
    return heard.kept


def _document(
    signed: SignedOrder, taken: dict[str, bool], problems: dict[str, str]
) -> dict[str, Any]:
    return {
        **described(signed),
        "taken": sorted(taken),
        "kept": sorted(name for name, kept in taken.items() if kept),
        "problems": problems,
    }


def _lines(
    signed: SignedOrder, taken: dict[str, bool], problems: dict[str, str], enough: bool
) -> list[str]:
    order = signed.order
    what = f"{order.scope} {order.name}".strip()
    memory = {True: "", False: " (not kept: a restart forgets it)"}
    return [
        f"{'FROZEN' if enough else 'NOT SURE TO BE FROZEN'}: {what}, until "
        f"{format_utc(order.expires_at)}",
        f"  {order.order_id}",
        f"  reason: {order.reason}",
        *(f"  {mark(True)} {name} took it{memory[kept]}" for name, kept in sorted(taken.items())),
        *(f"  {mark(False)} {name}: {problem}" for name, problem in sorted(problems.items())),
        f"end it before: quorate unfreeze --id {order.order_id} --reason …",
    ]
