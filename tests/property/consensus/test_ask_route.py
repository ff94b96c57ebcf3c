"""Asks and freezes through the member's own routes, under arbitrary input.

A vote about exactly what was asked, an abstention, or an error with a reason; never a crash.
"""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import aiohttp
import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from quorate.consensus import judge_sets, signing, wire
from quorate.consensus import request as requests
from quorate.consensus.epoch import Change
from quorate.consensus.keys import KeySignatures
from quorate.consensus.thresholds import PRESETS, Tier
from quorate.consensus.wire import Abstention, Ask
from quorate.errors import QuorateError
from quorate.genesis import first_epoch
from quorate_consensus.accusations import Accusations
from quorate_consensus.auth import Authenticator
from quorate_consensus.clean_runs import CleanRuns
from quorate_consensus.endorsing import Endorsing
from quorate_consensus.epochs import Epochs
from quorate_consensus.failed_gates import FailedGates
from quorate_consensus.metrics import Metrics
from quorate_consensus.relay import Relay
from quorate_consensus.reports import Reports
from quorate_consensus.server import MemberServer, Parts
from quorate_consensus.settings import parse_arguments
from quorate_consensus.shedding import PodRate
from quorate_consensus.vote_key import VoteKey
from quorate_consensus.votes import store
from quorate_consensus.voting_setup import Deciding, Known, owner
from quorate_io import member_api
from quorate_io.clock import SystemClock
from tests.fakes import vouching
from tests.fakes.service_account import ISSUER, EcKey, claims, key_set, token
from tests.unit.consensus import test_asks as known
from tests.unit.consensus.scene import relayed

SET = "history-rules-classifier"
FILES = ["serve", "--genesis", "g", "--key", "k", "--token-keys", "t", "--issuer", ISSUER]
FILES += ["--tls-name", "member-0.test"]
EXAMPLES = settings(max_examples=60, deadline=None)


class Member:
    """A member without TLS, of SCENE's cluster, with real judges, store and tokens."""

    def __init__(self, folder: Path) -> None:
        self.scene, self.folder = known.SCENE, folder
        signer = self.scene.members.keys[0]
        (seat,) = vouching.seats([signer])
        seat = msgspec.structs.replace(seat, judges=judge_sets.digest_of_set(SET))
        self.epoch = first_epoch("cluster-1", (seat,), PRESETS["dev"])
        self.epochs = Epochs(self.epoch)
        # Only signed with: TLS, which needs the private key itself, is not served here.
        self.identity = VoteKey(seat, cast(Any, None), signer)
        self.token_key = EcKey()
        (folder / "jwks.json").write_bytes(key_set(self.token_key))
        self.runner = asyncio.Runner()
        self.metrics = Metrics(CollectorRegistry())
        self.relay: Relay = relayed(self.scene.batch(), now=datetime.now(UTC))
        self.store = folder / "votes"
        store.init(self.store, owner(self.epochs, self.identity))

    def parts(self, deciding: Deciding, readers: ThreadPoolExecutor) -> Parts:
        """What the routes of asks and freezes need."""
        nothing = cast(Any, None)
        return Parts(
            epochs=self.epochs,
            authority_pem="",
            authenticator=Authenticator(self.folder / "jwks.json", ISSUER, SystemClock()),
            relay=self.relay,
            judge=nothing,
            states=nothing,
            receipts=nothing,
            reports=Reports(),
            collected=nothing,
            asks=deciding.asks,
            shadow_asks=deciding.shadow_asks,
            freezing=deciding.freezing,
            endorsing=Endorsing(self.identity, self.epochs, self.relay, readers, self.metrics),
            accusations=Accusations(self.epochs, readers, self.metrics),
            clean_runs=CleanRuns(self.epochs, readers),
            clock=SystemClock(),
            readers=readers,
            meter=self.metrics,
            monotonic=lambda: 0.0,
        )

    async def serve(self) -> None:
        """Serve until :meth:`stop`."""
        arguments = ["--store", str(self.store), "--epochs", "e", "--judges", SET]
        found = parse_arguments([*FILES, *arguments])
        shared = Known(self.epochs, self.identity, self.relay, SystemClock(), None, FailedGates())
        self.deciding = Deciding(found, shared, self.metrics.voting)
        self.running = self.deciding.running()
        await self.running.__aenter__()
        app = MemberServer(self.parts(self.deciding, ThreadPoolExecutor(1))).application()
        self.web = web.AppRunner(app, auto_decompress=False)
        await self.web.setup()
        await web.TCPSite(self.web, "127.0.0.1", 0).start()
        made = token(self.token_key, claims(now=datetime.now(UTC)))
        url = f"http://127.0.0.1:{self.web.addresses[0][1]}"
        self.client = aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {made}"})
        self.nobody = aiohttp.ClientSession(url)

    async def stop(self) -> None:
        """End all of it."""
        await self.client.close()
        await self.nobody.close()
        await self.web.cleanup()
        await self.running.__aexit__(None, None, None)

    def post(self, path: str, data: bytes, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        return self.runner.run(_sent(self.client, path, data, headers))

    def show(self, data: bytes) -> tuple[int, str]:
        """Status and reason of an answer about epochs, to somebody without a token."""
        headers = {"Content-Type": "application/json"}
        sent = _sent(self.nobody, member_api.EPOCHS_PATH, data, headers)
        status, _, body = self.runner.run(sent)
        return status, json.loads(body).get("reason", "")

    def ask(self, data: bytes, kind: str = member_api.ASKS_TYPE) -> wire.Answer | str:
        """The answer to an ask, or the reason of an error."""
        status, found, body = self.post(member_api.ASKS_PATH, data, **{"Content-Type": kind})
        if status == 200:
            assert found == member_api.ASKS_TYPE
            return wire.decode_answer(body)
        error = json.loads(body)
        assert status in (400, 413)
        assert error["reason"] in ("Malformed", "TooLarge")
        assert error["message"]
        return str(error["reason"])


async def _sent(
    session: aiohttp.ClientSession, path: str, data: bytes, headers: dict[str, str]
) -> tuple[int, str, bytes]:
    async with session.post(path, data=data, headers=headers) as response:
        return response.status, response.content_type, await response.read()


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """One that serves, and asks nobody how often they ask."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PodRate, "check", lambda self, uid: None)
        made = Member(tmp_path_factory.mktemp("member"))
        made.runner.run(made.serve())
        yield made
        made.runner.run(made.stop())
        made.runner.close()


def good(member: Member, **fields: Any) -> bytes:
    """An ask that gets a vote, with other fields."""
    return known.ask(**({"epoch": member.epoch.digest} | fields))


def check(member: Member, data: bytes, answer: wire.Answer | str) -> None:
    """A vote is about the very ask that ``data`` is, and that is the pod's own."""
    if isinstance(answer, str):
        return
    if isinstance(answer, Abstention):
        assert answer.reason
        return
    ballot, _ = signing.verify_vote(answer, member.epoch, KeySignatures())
    ask = wire.decode(data, Ask)
    assert (ballot.nonce, ballot.audience, ballot.tier) == (ask.nonce, ask.audience, ask.tier)
    assert ballot.request == wire.request_digest(ask.request)
    assert ballot.epoch == ask.epoch == member.epoch.digest
    assert requests.parse(ask.request).principal == known.PRINCIPAL


@pytest.mark.requirement("bad input: oversized, truncated, wrong-version, wrong-epoch asks")
@EXAMPLES
@given(data=st.binary(max_size=400))
def test_garbage_gets_no_vote(member: Member, data: bytes) -> None:
    """Whatever is no ask is abstained from."""
    answer = member.ask(data)
    check(member, data, answer)
    assert answer == Abstention(1, "Malformed")


@EXAMPLES
@given(data=st.data())
def test_a_damaged_ask_gets_no_vote_about_another(member: Member, data: st.DataObject) -> None:
    """Cut, lengthened, or with one byte changed: what it then is, or nothing."""
    whole = bytearray(good(member))
    at = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(["cut", "longer", "flip"])):
        case "cut":
            del whole[at:]
        case "longer":
            whole += data.draw(st.binary(min_size=1, max_size=8))
        case _:
            whole[at] ^= data.draw(st.integers(1, 255))
    check(member, bytes(whole), member.ask(bytes(whole)))


FIELDS = st.sampled_from(range(7))
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(max_size=8),
    st.binary(max_size=40),
    st.lists(st.integers(0, 3), max_size=3),
    st.floats(),
)


@EXAMPLES
@given(field=FIELDS, value=VALUES)
def test_an_ask_with_another_field(member: Member, field: int, value: Any) -> None:
    """Another version, tier, epoch, nonce, audience, time or request, of any type."""
    parts = msgspec.msgpack.decode(good(member))
    parts[field] = value
    data = msgspec.msgpack.encode(parts)
    check(member, data, member.ask(data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@EXAMPLES
@given(
    field=st.sampled_from(sorted(known.request().document)),
    value=JSON,
)
def test_an_ask_about_anything(member: Member, field: str, value: Any) -> None:
    """A request with one field replaced by anything: judged only if it is still one, the pod's."""
    document = known.request().document | {field: value}
    request = json.dumps(
        document, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    ).encode("utf-8", "surrogatepass")
    data = good(member, made=request)
    check(member, data, member.ask(data))


def test_odd_sizes_types_and_encodings(member: Member) -> None:
    """Too large is refused, another type or an encoding too; of what is shed nothing is kept."""
    large = good(member) + bytes(wire.MESSAGE_BYTES)
    assert member.ask(large) == "TooLarge"
    assert member.ask(bytes(wire.MESSAGE_BYTES)) == Abstention(1, "Malformed")
    assert member.ask(good(member), "application/json") == "Malformed"
    kind = {"Content-Type": member_api.ASKS_TYPE, "Content-Encoding": "gzip"}
    assert member.post(member_api.ASKS_PATH, good(member), **kind)[0] == 400
    assert member.ask(good(member, epoch=bytes(32))) == Abstention(1, "OtherEpoch")


@pytest.mark.requirement("replayed asks: the same verdict, in a ballot of its own")
def test_a_replay_gets_the_same_verdict(member: Member) -> None:
    """The same bytes again, and the same request under other nonces: one verdict, other ballots."""
    data = good(member, tier=Tier.STRICT, left_ms=9_000)
    other = good(member, tier=Tier.STRICT, left_ms=9_000)
    ballots = []
    for one in (data, data, other, data):
        answer = member.ask(one)
        check(member, one, answer)
        assert isinstance(answer, wire.Vote)
        ballots.append(signing.verify_vote(answer, member.epoch, KeySignatures())[0])
    assert len({ballot.verdict for ballot in ballots}) == 1
    assert len({ballot.sequence for ballot in ballots}) == 4


@EXAMPLES
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_order_is_made_of_anything(member: Member, body: bytes) -> None:
    """Without an administrator's signature nothing is frozen, and every refusal has a reason."""
    kind = {"Content-Type": "application/json"}
    status, _, answer = member.post(member_api.FREEZES_PATH, body, **kind)
    assert (status, json.loads(answer)["reason"]) == (400, "Malformed")
    assert member.deciding.freezing.freezes.orders == {}


@EXAMPLES
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_members_word_on_freezes_is_read_strictly(body: bytes) -> None:
    """What is no answer of a member is an error of ours."""
    with pytest.raises(QuorateError):
        member_api.read_freezes(body)


def shown(member: Member, **changes: Any) -> dict[str, Any]:
    """A record that would follow, signed by nobody who may."""
    record = msgspec.structs.replace(
        member.epoch.record,
        number=1,
        previous=member.epoch.digest_text,
        change=Change.CANARIES,
        canaries=f"sha256:{'c' * 64}",
    )
    signature = {"signer": "member-0", "signature": "AAAA"}
    document = {"record": msgspec.to_builtins(record), "members": [signature], "admins": []}
    return {"certified": document | changes}


@EXAMPLES
@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_epoch_opens_by_anything(member: Member, body: bytes) -> None:
    """Malformed, for whoever has no token; a pod's token is nobody's here."""
    assert member.show(body) == (400, "Malformed")
    kind = {"Content-Type": "application/json"}
    assert member.post(member_api.EPOCHS_PATH, body, **kind)[0] == 403
    assert member.epochs.head is member.epoch


@EXAMPLES
@given(
    inner=st.booleans(),
    field=st.sampled_from(["record", "members", "admins", "seats", "number", "previous", "more"]),
    value=JSON,
)
def test_no_epoch_opens_by_a_damaged_record(
    member: Member, inner: bool, field: str, value: Any
) -> None:
    """Malformed, or it does not follow, or too few signed it."""
    body = shown(member)
    place = body["certified"]["record"] if inner else body["certified"]
    place[field] = value
    assert member.show(json.dumps(body).encode()) in ((400, "Malformed"), (409, "EpochRefused"))
    assert member.epochs.head is member.epoch


def test_strangers_propose_nothing_and_send_little(member: Member) -> None:
    """The record as it should be is refused for its signatures; a proposal wants a token, and a
    body is as large as a record may be."""
    assert member.show(json.dumps(shown(member)).encode()) == (409, "EpochRefused")
    proposal = {"propose": {"record": shown(member)["certified"]["record"]}}
    assert member.show(json.dumps(proposal).encode()) == (401, "Unauthenticated")
    assert member.show(b" " * (member_api.CERTIFIED_BYTES + 1)) == (413, "TooLarge")


@EXAMPLES
@given(data=st.binary(max_size=200))
def test_no_evidence_is_made_of_anything(member: Member, data: bytes) -> None:
    """Whatever convicts nobody is refused with a reason, and nothing of it is kept."""
    kind = {"Content-Type": "application/octet-stream"}
    for body in (data, b"\x00" + data, b"\x01" + data):
        status, _, answer = member.post(member_api.EVIDENCE_PATH, body, **kind)
        assert status in (400, 403)
        assert json.loads(answer)["reason"] in ("Malformed", "EvidenceRefused")


@EXAMPLES
@given(data=st.binary(max_size=200))
def test_no_clean_run_is_made_of_anything(member: Member, data: bytes) -> None:
    """Whatever speaks for nobody is refused with a reason, and nothing of it is kept."""
    kind = {"Content-Type": "application/octet-stream"}
    status, _, answer = member.post(member_api.CLEAN_RUNS_PATH, data, **kind)
    assert (status, json.loads(answer)["reason"]) == (400, "Malformed")


@EXAMPLES
@given(data=st.binary(max_size=200))
def test_whose_vote_counts_says_nothing_in_shadow(member: Member, data: bytes) -> None:
    """Whatever it is asked there, also without a token."""
    kind = {"Content-Type": member_api.ASKS_TYPE}
    sent = _sent(member.nobody, member_api.SHADOW_PATH, data, kind)
    status, _, body = member.runner.run(sent)
    assert (status, wire.decode_answer(body)) == (200, Abstention(1, "VoteCounts"))
