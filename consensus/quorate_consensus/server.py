"""The member's HTTP interface: who asks, how much, and for how long.

What to answer is decided elsewhere.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from aiohttp import web

from quorate.consensus import wire
from quorate.consensus.quarantine import EVIDENCE_BYTES
from quorate.errors import InvalidInput, QuorateError
from quorate.manifest import check_digest
from quorate.ports import Clock
from quorate.receipt import REQUEST_BYTES
from quorate_consensus import doubts, evaluations, relay
from quorate_consensus.accusations import Accusations
from quorate_consensus.asks import Asks
from quorate_consensus.auth import Authenticator
from quorate_consensus.bodies import json_answer, read_body
from quorate_consensus.clean_runs import CleanRuns
from quorate_consensus.collected import Collected
from quorate_consensus.endorsing import Endorsing
from quorate_consensus.epochs import Epochs
from quorate_consensus.failures import SERVER, Forbidden, Unauthenticated, respond
from quorate_consensus.freezing import Freezing
from quorate_consensus.genesis_route import GenesisRoute
from quorate_consensus.judging import Judge
from quorate_consensus.listening import CONNECTIONS_MAX
from quorate_consensus.observed import ObservedModel
from quorate_consensus.receipt_service import Receipts
from quorate_consensus.reports import CURSOR_CHARS, Reports
from quorate_consensus.shadow_asks import ShadowAsks
from quorate_consensus.shadow_routes import ShadowRoutes
from quorate_consensus.shedding import Lane, PodRate, Share
from quorate_consensus.state_service import States, protected_pod
from quorate_consensus.tokens import Caller
from quorate_io import member_api
from quorate_io.member_api import (
    EVALUATE_PATH,
    EpochsRequest,
    EvidenceAnswer,
    ObservedAnswer,
    Proposal,
    ReportHeard,
)

SIDECAR_SECONDS = 4.5
"""Deadline of a sidecar's request; its client waits five."""
OPERATOR_SECONDS = 25.0
"""Deadline of an operator's request, which may be the first to need a judgement."""
SIDECAR_LANE, OPERATOR_LANE = 512, 32
FREEZE_LANE, FREEZE_EACH = 256, 2
"""Orders in work, and of these of one address."""
FREEZE_WATCHERS, FREEZE_STRANGERS = CONNECTIONS_MAX, 64
"""Questions for freezes that are kept waiting: of pods as many as may be connected, and of whoever
shows no token. Who finds no place is answered at once."""
WATCHER_REQUESTS = 100
"""For freezes by one pod in shedding.WINDOW_SECONDS: an order at a time, ten a second."""
ADDRESS_REQUESTS = 100
"""For freezes without a token, from one address in shedding.WINDOW_SECONDS."""
CERTIFIED_LANE, CERTIFIED_EACH, ADDRESS_CERTIFIED = 64, 2, 20
"""Certified records that somebody without a token shows: at once, of these of one address, and from
one address in shedding.WINDOW_SECONDS."""
EVIDENCE_LANE, EVIDENCE_EACH, POD_EVIDENCE = 4, 1, 3
"""Pieces of evidence at once, of these of one pod, and of one pod in shedding.WINDOW_SECONDS. Each
is up to quarantine.EVIDENCE_BYTES, and is recomputed."""
PROPOSAL_LANE = 2
"""Bodies of up to member_api.PROPOSAL_BYTES are in memory at once; the operator brings one."""
READER_LANE = 4
"""Questions for reports are kept waiting, and take no place of those that are answered at once."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Meter(Protocol):
    """What the server reports."""

    def requested(self, route: str, status: int) -> None:
        """A request was answered."""

    def observed(self, relay_: relay.Relay) -> None:
        """A batch was accepted."""

    def reported(self, reports: Reports) -> None:
        """What pods report has changed."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the server puts together."""

    epochs: Epochs
    authority_pem: str
    authenticator: Authenticator
    relay: relay.Relay
    judge: Judge
    collected: Collected
    states: States
    receipts: Receipts
    reports: Reports
    asks: Asks
    shadow_asks: ShadowAsks
    freezing: Freezing
    endorsing: Endorsing
    accusations: Accusations
    clean_runs: CleanRuns
    clock: Clock
    readers: Executor
    meter: Meter
    monotonic: Callable[[], float]


class MemberServer:
    """The routes of one member."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rate = PodRate(parts.monotonic)
        self._sidecars = Lane("sidecar", SIDECAR_LANE)
        self._operators = Lane("operator", OPERATOR_LANE)
        self._readers = Lane("report reader", READER_LANE)
        self._freezers = Share("freeze", FREEZE_LANE, FREEZE_EACH)
        self._watchers = Lane("freeze watcher", FREEZE_WATCHERS)
        self._strangers = Lane("freeze watcher without a token", FREEZE_STRANGERS)
        self._watching = PodRate(parts.monotonic, WATCHER_REQUESTS)
        self._addresses = PodRate(parts.monotonic, ADDRESS_REQUESTS)
        self._certified = Share("certified record", CERTIFIED_LANE, CERTIFIED_EACH)
        self._proposals = Lane("proposal", PROPOSAL_LANE)
        self._showing = PodRate(parts.monotonic, ADDRESS_CERTIFIED)
        self._evidence = Share("evidence", EVIDENCE_LANE, EVIDENCE_EACH)
        self._accusing = PodRate(parts.monotonic, POD_EVIDENCE)
        self._batches = asyncio.Lock()
        self._genesis = GenesisRoute(parts.epochs, parts.authority_pem)

    def application(self) -> web.Application:
        """The application to serve."""
        app = web.Application(middlewares=[self._answer_always])
        app.router.add_get(member_api.GENESIS_PATH, self._genesis.get, allow_head=False)
        app.router.add_get(member_api.STATE_PATH, self._get_state, allow_head=False)
        app.router.add_get(
            member_api.MANIFEST_PATH + "{digest}", self._get_manifest, allow_head=False
        )
        app.router.add_post(member_api.EPOCHS_PATH, self._post_epochs)
        app.router.add_post(EVALUATE_PATH, self._post_evaluate)
        app.router.add_post(member_api.EVALUATE_PATH_BEFORE, self._post_evaluate_before)
        app.router.add_post(member_api.OBSERVED_PATH, self._post_observed)
        app.router.add_post(member_api.OBSERVED_PATH_BEFORE, self._post_observed)
        app.router.add_post(member_api.RECEIPTS_PATH, self._post_receipt)
        app.router.add_post(member_api.REPORTS_PATH, self._post_report)
        app.router.add_get(member_api.REPORTS_PATH, self._get_reports, allow_head=False)
        app.router.add_post(member_api.ASKS_PATH, self._post_ask)
        app.router.add_post(member_api.EVIDENCE_PATH, self._post_evidence)
        app.router.add_get(member_api.EVIDENCE_PATH, self._get_evidence, allow_head=False)
        app.router.add_post(member_api.FREEZES_PATH, self._post_freeze)
        app.router.add_get(member_api.FREEZES_PATH, self._get_freezes, allow_head=False)
        parts = self._parts
        ShadowRoutes(parts.shadow_asks, parts.clean_runs, self._protected, parts.monotonic).add_to(
            app
        )
        app.on_shutdown.append(self._end_waiting)
        return app

    async def _end_waiting(self, app: web.Application) -> None:
        self._parts.reports.close()
        self._parts.freezing.close()
        self._parts.asks.drain()

    @web.middleware
    async def _answer_always(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every request ends in a body of ours, whatever happens."""
        try:
            response = await handler(request)
        except Exception as error:  # the boundary: nothing may pass it
            response = respond(error)
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "other"
        self._parts.meter.requested(route, response.status)
        return response

    async def _get_state(self, request: web.Request) -> web.Response:
        caller = self._sidecar(request)
        with self._sidecars.enter():
            async with asyncio.timeout(SIDECAR_SECONDS):
                return json_answer(await self._parts.states.envelope(caller))

    async def _get_manifest(self, request: web.Request) -> web.Response:
        caller = self._sidecar(request)
        digest = check_digest(request.match_info["digest"])
        with self._sidecars.enter():
            async with asyncio.timeout(SIDECAR_SECONDS):
                return json_answer(await self._parts.states.manifest(caller, digest))

    async def _post_receipt(self, request: web.Request) -> web.Response:
        caller = self._sidecar(request)
        with self._sidecars.enter():
            async with asyncio.timeout(SIDECAR_SECONDS):
                body = await read_body(request, REQUEST_BYTES)
                return json_answer(await self._parts.receipts.envelope(caller, body))

    async def _post_evaluate(self, request: web.Request) -> web.Response:
        self._operator(request)
        with self._operators.enter():
            async with asyncio.timeout(OPERATOR_SECONDS):
                body = await read_body(request, member_api.EVALUATE_BYTES)
                policy, model, issued_at = await self._read(evaluations.read_question, body)
                evaluations.check_time(issued_at, self._parts.clock.now())
                policy = self._parts.relay.with_signatures(policy)
                self._note(model)
                vote = await self._parts.judge.vote(policy, model, issued_at)
                return json_answer(member_api.encode(evaluations.answer(vote)))

    def _note(self, model: ObservedModel) -> None:
        """Remember what is out for a model: a vote against it revokes that."""
        parts = self._parts
        held = parts.relay.current.model(model) if parts.relay.current is not None else None
        if held is not None:
            found = parts.collected.of(held, parts.clock.now())
            parts.judge.note(one.certificate for one in found)

    async def _post_evaluate_before(self, request: web.Request) -> web.Response:
        self._operator(request)
        raise InvalidInput(
            f"a model is judged as of a time that the operator names: ask {EVALUATE_PATH}",
            field="path",
            fix="run operator and members of the same release",
        )

    async def _post_observed(self, request: web.Request) -> web.Response:
        self._operator(request)
        with self._operators.enter():
            async with asyncio.timeout(OPERATOR_SECONDS), self._batches:
                body = await read_body(request, member_api.BATCH_BYTES)
                changes = await self._read(relay.read_batch, body)
                known = self._parts.relay
                problems = known.accept(changes, self._parts.clock.now())
                self._parts.meter.observed(known)
                answer = ObservedAnswer(
                    session=changes.batch.session,
                    sequence=changes.batch.sequence,
                    ready=known.current is not None,
                    problems=problems,
                    store_broken=self._parts.asks.store_broken,
                )
                return json_answer(member_api.encode(answer))

    async def _post_report(self, request: web.Request) -> web.Response:
        caller = self._sidecar(request)
        with self._sidecars.enter():
            async with asyncio.timeout(SIDECAR_SECONDS):
                parts = self._parts
                protected_pod(parts.relay, caller)
                body = await read_body(request, member_api.REPORT_BYTES)
                found = member_api.read_reports(body)
                # Again: it may have gone while the body came.
                _, pod = protected_pod(parts.relay, caller)
                held = parts.reports.put(pod, found, parts.clock.now())
                parts.meter.reported(parts.reports)
                return json_answer(member_api.encode(ReportHeard(held=held)))

    async def _get_reports(self, request: web.Request) -> web.Response:
        self._operator(request)
        cursor = _cursor(request)
        parts = self._parts
        with self._readers.enter():
            await parts.reports.changed_after(cursor, member_api.REPORTS_WAIT)
            if parts.relay.current is not None:
                parts.reports.keep_only(parts.relay.current.pods)
                parts.meter.reported(parts.reports)
            return json_answer(member_api.encode(parts.reports.after(cursor)))

    async def _post_ask(self, request: web.Request) -> web.Response:
        caller = self._caller(request)

        async def read() -> bytes:
            return await read_body(request, wire.MESSAGE_BYTES, member_api.ASKS_TYPE)

        answer = await self._parts.asks.answer(caller, read)
        return web.Response(body=answer, content_type=member_api.ASKS_TYPE, headers=SERVER)

    async def _post_evidence(self, request: web.Request) -> web.Response:
        """From protected pods only, so that not everybody has members compute."""
        uid = self._protected(request)
        self._accusing.check(uid)
        with self._evidence.enter(uid):
            async with asyncio.timeout(SIDECAR_SECONDS):
                body = await read_body(request, EVIDENCE_BYTES, member_api.EVIDENCE_TYPE)
            async with asyncio.timeout(OPERATOR_SECONDS - SIDECAR_SECONDS):
                return json_answer(member_api.encode(await self._parts.accusations.show(body)))

    async def _get_evidence(self, request: web.Request) -> web.Response:
        self._operator(request)
        with self._operators.enter():
            found = EvidenceAnswer(evidence=self._parts.accusations.first())
            return json_answer(member_api.encode(found))

    async def _post_freeze(self, request: web.Request) -> web.Response:
        """Without a token: the order's signatures are its authority, and an administrator reaches
        a member without the API server."""
        address = request.remote or ""
        self._addresses.check(address)
        with self._freezers.enter(address):
            async with asyncio.timeout(SIDECAR_SECONDS):
                body = await read_body(request, member_api.FREEZE_BYTES)
                return json_answer(member_api.encode(await self._parts.freezing.put(body)))

    async def _get_freezes(self, request: web.Request) -> web.Response:
        cursor, lane = _cursor(request), self._strangers
        if "Authorization" in request.headers:
            # Counted by itself: news that come fast must keep no pod from its state.
            self._watching.check(self._caller(request).pod_uid)
            lane = self._watchers
        else:
            self._addresses.check(request.remote or "")
        if lane.is_free:
            with lane.enter():
                await self._parts.freezing.changed_after(cursor, member_api.FREEZES_WAIT)
        return json_answer(member_api.encode(self._parts.freezing.after(cursor)))

    async def _post_epochs(self, request: web.Request) -> web.Response:
        """Proposals come from the operator, or from the administrators who signed them; what is
        certified proves itself, whoever shows it."""
        if "Authorization" in request.headers:
            self._operator(request)
            with self._proposals.enter():
                async with asyncio.timeout(OPERATOR_SECONDS):
                    body = await read_body(request, member_api.PROPOSAL_BYTES)
                    return await self._epochs(await self._read(_proposal_or_certified, body))
        address = request.remote or ""
        self._showing.check(address)
        with self._certified.enter(address):
            async with asyncio.timeout(SIDECAR_SECONDS):
                body = await read_body(request, member_api.CERTIFIED_BYTES)
                found = await self._read(_proposal_or_certified, body)
                if found.propose is not None:
                    await self._check_signed(found.propose)
                return await self._epochs(found)

    async def _check_signed(self, proposal: Proposal) -> None:
        loop, head = asyncio.get_running_loop(), self._parts.epochs.head
        check = partial(doubts.is_signed_by_people, proposal, head)
        if not await loop.run_in_executor(self._parts.readers, check):
            raise Unauthenticated(
                "a proposal must carry the operator's token, or enough administrators' signatures"
            )

    async def _epochs(self, found: EpochsRequest) -> web.Response:
        endorsing = self._parts.endorsing
        if found.certified is not None:
            return json_answer(member_api.encode(await endorsing.show(found.certified)))
        assert found.propose is not None  # noqa: S101 - one of the two, as it was read
        return json_answer(member_api.encode(await endorsing.propose(found.propose)))

    async def _read(self, function: Callable[[bytes], Any], body: bytes) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._parts.readers, function, body)

    def _sidecar(self, request: web.Request) -> Caller:
        caller = self._caller(request)
        self._rate.check(caller.pod_uid)
        return caller

    def _operator(self, request: web.Request) -> None:
        caller = self._caller(request)
        if not caller.is_operator:
            raise Forbidden(f"{caller.user} is not the operator")

    def _protected(self, request: web.Request) -> str:
        """UID of the protected pod that asks."""
        caller = self._caller(request)
        protected_pod(self._parts.relay, caller)
        return caller.pod_uid

    def _caller(self, request: web.Request) -> Caller:
        values = request.headers.getall("Authorization", [])
        scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("the request must carry one bearer token")
        try:
            return self._parts.authenticator.caller(token)
        except QuorateError as error:
            raise Unauthenticated(error.message, field=error.field, fix=error.fix) from error


def _proposal_or_certified(body: bytes) -> EpochsRequest:
    return member_api.read_epochs_request(body, member_api.PROPOSAL_BYTES)


def _cursor(request: web.Request) -> str:
    given = list(request.query.items())
    if [name for name, _ in given] not in ([], [member_api.CURSOR_PARAMETER]):
        raise InvalidInput(f"may be {member_api.CURSOR_PARAMETER}, once", field="query")
    return given[0][1][:CURSOR_CHARS] if given else ""
