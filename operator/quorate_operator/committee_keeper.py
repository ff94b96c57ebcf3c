"""The SafetyCommittee: takes what people propose to the members, and says how the committee stands.

Each step is found again by whoever comes next: the candidate stands in the status, written by the
version that was read, before any member is asked; members sign the same record again; and what is
certified is in the status, and shown to members until they have it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from quorate import names
from quorate.api.v1alpha1.safety_committee import (
    CHAIN_MAX,
    EVIDENCE_KEY,
    OBJECT,
    Candidate,
    SafetyCommitteeStatus,
)
from quorate.consensus.history import History
from quorate.errors import QuorateError, Unavailable
from quorate.ports import Clock
from quorate_io.member_api import Proposal
from quorate_operator.accusations import Accusations
from quorate_operator.committee import Committee
from quorate_operator.committee_alarm import CommitteeAlarm
from quorate_operator.committee_members import CommitteeMembers, evidence_in
from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.effects.events import Events
from quorate_operator.effects.fence import Holder
from quorate_operator.effects.status import apply_status
from quorate_operator.kinds import CONFIG_MAP, SAFETY_COMMITTEE, Key
from quorate_operator.reconcile import committee_chain, committee_plan
from quorate_operator.reconcile.actions import ApplyStatus, Target
from quorate_operator.reconcile.committee_chain import Tail
from quorate_operator.reconcile.committee_conditions import MemberSeen, observe
from quorate_operator.reconcile.committee_plan import Offered, Tally
from quorate_operator.reconcile.committee_status import Seen, events_between, status_of
from quorate_operator.spares import Spares
from quorate_operator.world import World

LOOK_SECONDS = 5.0
SURVEY_SECONDS = 15.0
"""Between two questions to all members for how far they are."""
ASK_FIRST, ASK_MAX = 5.0, 60.0
"""Seconds until members are asked again about the same record, if nothing changes."""

log = logging.getLogger(__name__)
Document = dict[str, Any]


class CommitteeKeeper:
    """Looks every few seconds. ``take`` is told of every longer history."""

    def __init__(
        self,
        api: ApiServer,
        holder: Holder,
        members: CommitteeMembers,
        committee: Committee,
        world: World,
        take: Callable[[History], None],
        events: Events,
        alarm: CommitteeAlarm,
        spares: Spares,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._api = api
        self._holder = holder
        self._members = members
        self._committee = committee
        self._world = world
        self._take = take
        self._events = events
        self._alarm = alarm
        self._spares = spares
        self._clock = clock
        self._monotonic = monotonic
        self._accusations = Accusations(members.links, monotonic)
        self._tail: Tail = ()
        self._tallies: dict[str, Tally] = {}
        """By digest, of records that would follow ``_tallied``."""
        self._tallied = world.history.head.digest
        self._asked_for: Candidate | None = None
        self._ask_at, self._ask_after = float("-inf"), ASK_FIRST
        self._survey_at = float("-inf")
        self._behind: dict[str, bool] = {}
        self._said = ""

    async def run(self) -> None:
        """Look for ever. What cannot be read or written is tried again."""
        # Who answers is known only after a while; it would be written down, and taken back.
        await asyncio.sleep(LOOK_SECONDS)
        while True:
            try:
                await self.look()
                self._said = ""
            except QuorateError as error:
                self._say(f"SafetyCommittee: {error}")
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once, and take one proposal as far as it goes. Raises QuorateError."""
        document = await self._read()
        before = _status(document)
        self._catch_up(before)
        offered = committee_plan.read_offered(document.get("spec"))
        head = self._world.history.head
        if self._tallied != head.digest:
            self._tallied, self._tallies = head.digest, {}
        asked = before.candidate.digest if before is not None and before.candidate else ""
        offered = (*await self._accusations.offered(head, asked), *offered)
        candidate = self._candidate(before, offered)
        chosen = committee_plan.choose(offered, head, candidate, self._tallies)
        if chosen is not None:
            document = await self._mark(document, before, chosen)
            before = _status(document)
            await self._ask(chosen)
            await self._certify(chosen)
        await self._survey()
        await self._tell(document, before, offered, chosen)

    async def _read(self) -> Document:
        try:
            return await self._api.get(SAFETY_COMMITTEE.path(name=OBJECT))
        except ApiRefused as error:
            if error.status == 404:
                fix = "run the install Job again: helm upgrade with the same values"
                raise Unavailable(f"SafetyCommittee {OBJECT} is not there", fix=fix) from None
            raise

    def _catch_up(self, before: SafetyCommitteeStatus | None) -> None:
        """Take in what an operator before this one certified, and nobody may have heard of."""
        if self._tail or before is None or not before.chain:
            return
        held = committee_chain.read_tail(before.chain)
        self._take(committee_chain.followed(self._world.history, held))
        self._tail = committee_chain.kept_tail(held, (), self._world.history)

    def _candidate(
        self, before: SafetyCommitteeStatus | None, offered: Sequence[Offered]
    ) -> Candidate | None:
        """Whom members were asked about, also if the API server has forgotten it since."""
        asked = self._asked_for
        if asked is not None and any(one.digest == asked.digest for one in offered):
            return asked
        return before.candidate if before is not None else None

    async def _mark(
        self, document: Document, before: SafetyCommitteeStatus | None, chosen: Offered
    ) -> Document:
        """Have the candidate in the status. Raises Unavailable if somebody wrote meanwhile."""
        number = self._world.history.head.record.number + 1
        candidate = Candidate(number=number, digest=chosen.digest, proposal=chosen.name)
        if before is not None and before.candidate == candidate:
            self._asked_for = candidate
            return document
        status = (before or SafetyCommitteeStatus()).model_copy(update={"candidate": candidate})
        written = await self._write(document, status)
        if written is None:
            raise Unavailable("it was changed while it was looked at")
        log.info("epoch %d: %s is the candidate (%s)", number, chosen.name, chosen.digest)
        self._asked_for = candidate
        self._ask_at, self._ask_after = float("-inf"), ASK_FIRST
        return written

    async def _ask(self, chosen: Offered) -> None:
        """Ask those that have not signed; ends as soon as it is certified."""
        head = self._world.history.head
        now = self._monotonic()
        if chosen.record is None or now < self._ask_at:
            return
        before = tally = self._tally(chosen)
        if committee_plan.certified(head, chosen, tally) is None:
            proposal = Proposal(
                record=chosen.record, admins=chosen.admins, evidence=await self._evidence(chosen)
            )
            waiting = head.counted - tally.endorsed.keys()
            async with aclosing(self._members.endorsements(proposal, waiting)) as answers:
                async for name, answer in answers:
                    tally = committee_plan.noted(head, chosen, tally, name, answer)
                    self._tallies[chosen.digest] = tally
                    if committee_plan.certified(head, chosen, tally) is not None:
                        break
        self._ask_after = min(ASK_MAX, self._ask_after * 2) if tally == before else ASK_FIRST
        self._ask_at = self._monotonic() + self._ask_after

    def _tally(self, one: Offered) -> Tally:
        return self._tallies.get(one.digest) or Tally(one.digest)

    async def _evidence(self, chosen: Offered) -> bytes:
        if not chosen.evidence:
            return chosen.recomputed
        try:
            found = await self._api.get(CONFIG_MAP.path(names.NAMESPACE, chosen.evidence))
            return evidence_in(found, EVIDENCE_KEY)
        except (ApiRefused, ValueError) as error:
            # Members say what they miss; the proposal's status repeats it.
            self._say(f"evidence of {chosen.name}: ConfigMap {chosen.evidence}: {error}")
            return b""

    async def _certify(self, chosen: Offered) -> None:
        """Take in what is certified, unless members know another record of that number."""
        head = self._world.history.head
        found = committee_plan.certified(head, chosen, self._tally(chosen))
        if found is None:
            return
        await self._follow()
        if self._world.history.head.digest != head.digest:
            return
        log.info("epoch %d is certified: %s", found.record.number, chosen.name)
        self._tail = (*self._tail, found)
        self._take(committee_chain.followed(self._world.history, (found,)))
        self._asked_for = None
        await self._members.show(head.members, (found,))
        await self._follow()
        self._survey_at = float("-inf")

    async def _follow(self) -> None:
        """Know what members know by now; so new members are reached as well."""
        try:
            self._take(await self._members.history(newer=True))
        except QuorateError as error:
            log.info("epochs are not followed: %s", error)

    async def _survey(self) -> None:
        """Ask all how far they are, and show what is known to those that are behind."""
        history, now = self._world.history, self._monotonic()
        moved = not committee_chain.is_whole(self._tail, history)
        if now < self._survey_at and not moved:
            return
        self._survey_at = now + SURVEY_SECONDS
        number = history.head.record.number
        told = await self._members.told(max(0, number - (CHAIN_MAX if moved else 1)))
        for tail in told.values():
            # An operator before this one, or somebody beside it, may have certified more.
            self._take(committee_chain.followed(self._world.history, tail))
        moved, history = moved or self._world.history is not history, self._world.history
        number = history.head.record.number
        if moved or len(self._tail) > CHAIN_MAX:
            records = [one for tail in told.values() for one in tail]
            self._tail = committee_chain.kept_tail(self._tail, records, history)
        last = self._tail[-1].record.number if self._tail else 0
        self._behind = {
            name: max((one.record.number for one in tail), default=0) < max(number, last)
            for name, tail in told.items()
        }
        late = [name for name, is_behind in self._behind.items() if is_behind]
        if late and self._tail:
            await self._members.show(late, self._tail)

    async def _tell(
        self,
        document: Document,
        before: SafetyCommitteeStatus | None,
        offered: Sequence[Offered],
        chosen: Offered | None,
    ) -> None:
        """Write how things stand, and say what has changed."""
        history = self._world.history
        members, last_answers = self._seen()
        prepared = committee_plan.acknowledged(
            await self._spares.prepared(history), offered, history.head
        )
        observed = observe(history.head, members, self._accusations.beyond, prepared)
        candidate = self._asked_for if chosen is not None else None
        said = before.proposals if before is not None else []
        tally = self._tally(chosen) if chosen is not None else Tally()
        proposals = committee_plan.statuses(offered, history, chosen, tally, self._tail, said)
        seen = Seen(
            generation=int(document["metadata"].get("generation") or 0),
            head=history.head,
            members=members,
            last_answers=last_answers,
            observed=observed,
            candidate=candidate,
            proposals=proposals,
            tail=self._tail,
            prepared=prepared,
        )
        status, target = status_of(seen, before, self._clock.now()), _target(document)
        if status != before and await self._write(document, status) is not None:
            for event in events_between(before, status, target):
                self._events.post(event)
        await self._alarm.look(observed, target)

    def _seen(self) -> tuple[list[MemberSeen], dict[str, datetime]]:
        """The members whose word counts, and when those that do not answer did last."""
        silent, relays = self._committee.silent(), self._committee.relays
        members, last = [], {}
        now, moment = self._clock.now(), self._monotonic()
        for name in self._world.history.standing(self._world.history.head):
            heard = relays[name].heard_at if name in relays else None
            reachable = name in relays and name not in silent
            members.append(MemberSeen(name, reachable, self._behind.get(name)))
            if heard is not None and not reachable:
                last[name] = now - timedelta(seconds=moment - heard)
        return members, last

    async def _write(self, document: Document, status: SafetyCommitteeStatus) -> Document | None:
        """None if somebody wrote meanwhile, or it is gone. Raises QuorateError."""
        body = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        version = str(document["metadata"].get("resourceVersion", ""))
        return await apply_status(
            self._api, self._holder, ApplyStatus(_target(document), version, body)
        )

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            log.warning("%s", text)


def _status(document: Document) -> SafetyCommitteeStatus | None:
    try:
        return SafetyCommitteeStatus.model_validate(document.get("status"))
    except ValidationError:
        return None


def _target(document: Document) -> Target:
    key = Key(SAFETY_COMMITTEE.name, "", OBJECT)
    return Target(key, str(document["metadata"].get("uid", "")), SAFETY_COMMITTEE.api_version)
