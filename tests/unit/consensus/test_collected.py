"""Certificates that the operator relays: verified by this member, once, and for exactly one use."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from quorate import certificate
from quorate.certificate import Certificate
from quorate.consensus.history import History
from quorate.consensus.thresholds import Thresholds
from quorate.errors import InvalidInput, Unavailable
from quorate_consensus import collected
from quorate_consensus.collected import REFUSED_SECONDS, Collected, certificates_for
from quorate_consensus.epochs import Epochs
from quorate_consensus.observed import ObservedModel
from quorate_consensus.relay import Relay, read_batch, read_model, read_policy
from quorate_io import member_api
from quorate_io.member_api import ObservedBatch
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import FILES, Scene

SECOND = timedelta(seconds=1)
MEMBERS = vouching.Committee(n=5, thresholds=Thresholds(5, 3, 4, 1), signing=4)
SCENE = Scene(members=MEMBERS)
FLOOR, MODEL = SCENE.floor(), SCENE.model()
POLICY = read_policy(FLOOR)


class Tally:
    """Counts what was looked at."""

    def __init__(self) -> None:
        self.outcomes: list[bool] = []

    def looked_at(self, verified: bool) -> None:
        """Note the outcome."""
        self.outcomes.append(verified)


class Chain(Epochs):
    """Epochs of a member that learns what a test has it learn."""

    def __init__(self, members: vouching.Committee) -> None:
        super().__init__(members.genesis)
        self.known: History = members.history

    @property
    def history(self) -> History:
        """What the member knows."""
        return self.known


def made(members: vouching.Committee = MEMBERS, **changes: Any) -> bytes:
    """A certificate for the scene's model, with parts replaced."""
    said: dict[str, Any] = {"policy_ref": POLICY.ref, "policy_digest": POLICY.digest}
    return members.certify(**({"files": FILES} | said | changes))


def model(*envelopes: bytes) -> ObservedModel:
    """The model, relayed with these."""
    texts = [envelope.decode() for envelope in envelopes]
    return read_model(MODEL | {member_api.CERTIFICATES_FIELD: texts})


def held(*envelopes: bytes) -> list[Certificate]:
    """What a member that just began makes of them."""
    found = book().of(model(*envelopes), NOW)
    return [one.certificate for one in found]


def book(chain: Chain | None = None) -> Collected:
    """What a member that just began remembers: nothing."""
    return Collected(chain or Chain(MEMBERS), Tally())


def changed(envelope: bytes, change: Callable[[Any], Any]) -> bytes:
    """The envelope with something of it changed."""
    document = msgspec.json.decode(envelope)
    change(document)
    return msgspec.json.encode(document)


def signed_by(*indexes: int, **changes: Any) -> bytes:
    """A certificate with the signatures of these members."""
    keys = [MEMBERS.keys[index] for index in indexes]
    others = vouching.Committee(keys=keys, thresholds=Thresholds(len(keys), 1, len(keys), 0))
    return made(others, epoch=MEMBERS.genesis.digest_text, **changes)


GOOD = made()


def test_a_certificate_of_a_quorum_is_held() -> None:
    """As it was relayed, with its statement verified."""
    (one,) = book().of(model(GOOD), NOW)
    assert one.envelope == GOOD.decode()
    assert one.certificate.statement.policy_digest == POLICY.digest
    assert certificates_for(model(GOOD), [POLICY], [one]) == (one,)


STRANGER = vouching.Committee(n=4)


@pytest.mark.requirement("bad input: forged, expired or foreign certificates count for nothing")
@pytest.mark.parametrize(
    "envelope",
    [
        signed_by(0, 1, 2),
        changed(GOOD, lambda document: document["signatures"].pop()),
        changed(GOOD, lambda document: document["signatures"][0].update(sig="AAAA")),
        changed(GOOD, lambda d: d.update(signatures=[d["signatures"][0]] * 4)),
        changed(GOOD, lambda document: document.update(payload=document["payload"][::-1])),
        made(STRANGER),
        made(STRANGER, epoch=MEMBERS.genesis.digest_text),
        made(epoch=f"sha256:{'0' * 64}"),
        made(now=NOW - timedelta(hours=1), life=timedelta(hours=1)),
        made(now=NOW + 31 * SECOND),
        made(namespace="team-b"),
        made(model="other"),
        b"{}",
        b"junk",
    ],
    ids=[
        *("too few", "one less", "a bad signature", "one signs often", "another payload"),
        *("another cluster's", "strangers", "another epoch", "expired", "from the future"),
        *("another namespace", "another model", "no envelope", "no JSON"),
    ],
)
def test_what_is_no_certificate_of_this_model(envelope: bytes) -> None:
    """It is as if it were not there, and hides none that is."""
    assert held(envelope) == []
    assert len(held(envelope, GOOD, envelope)) == 1


@pytest.mark.requirement("bad input: forged, expired or foreign certificates count for nothing")
@pytest.mark.parametrize(
    "changes",
    [
        {"policy_digest": f"sha256:{'0' * 64}"},
        {"policy_ref": certificate.PolicyRef("SafetyPolicy", "team-a", "floor")},
        {"files": vouching.model_files("1")},
    ],
    ids=["the policy as it was", "another policy", "other bytes"],
)
def test_a_certificate_of_something_else_is_none_for_the_pod(changes: dict[str, Any]) -> None:
    """It verifies, and is for another policy, another version of it, or other bytes."""
    found = book().of(model(made(**changes)), NOW)
    assert len(found) == 1
    with pytest.raises(Unavailable, match="was not collected yet") as missing:
        certificates_for(model(), [POLICY], found)
    assert "ClusterSafetyPolicy/floor" in missing.value.message
    assert "team-a/demo" in missing.value.message


def test_a_signer_that_was_found_lying_does_not_count() -> None:
    """Of four signatures three are left, before or after they were looked at; of another four,
    none is lost."""
    chain = Chain(MEMBERS)
    known, relayed = book(chain), model(GOOD, signed_by(1, 2, 3, 4, life=timedelta(hours=1)))
    assert len(known.of(relayed, NOW)) == 2
    chain.known = MEMBERS.without(0)
    for one in (known, book(chain)):
        (left,) = one.of(relayed, NOW)
        assert left.envelope == relayed.certificates[1]


def test_an_epoch_that_is_learnt_later_counts_at_once() -> None:
    """What was refused because nobody knew its epoch is looked at again with the next one."""
    chain = Chain(MEMBERS)
    chain.known = vouching.Committee().history
    known = book(chain)
    assert known.of(model(GOOD), NOW) == ()
    chain.known = MEMBERS.history
    assert len(known.of(model(GOOD), NOW)) == 1


def test_each_envelope_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often pods ask: good ones until they expire, bad ones once in a while."""
    asked: list[bytes] = []
    verify = certificate.verify

    def counted(envelope: bytes, history: History, now: datetime) -> Certificate:
        asked.append(envelope)
        return verify(envelope, history, now)

    monkeypatch.setattr(certificate, "verify", counted)
    ahead = made(now=NOW + 31 * SECOND)
    tally = Tally()
    known, relayed = Collected(Chain(MEMBERS), tally), model(GOOD, ahead)
    for after, count, valid in (
        (0, 2, 1),
        (1, 2, 1),
        (REFUSED_SECONDS - 1, 2, 1),
        (REFUSED_SECONDS, 3, 2),
        (1799, 3, 2),
        (1800, 3, 1),
        (1900, 3, 0),
    ):
        found = known.of(relayed, NOW + after * SECOND)
        assert (len(asked), len(found)) == (count, valid), after
    assert tally.outcomes == [True, False, True]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used goes, and is verified again; nothing is refused for it."""
    monkeypatch.setattr(collected, "VERIFIED_MAX", 2)
    known = book()
    several = [made(life=minutes * timedelta(minutes=1)) for minutes in range(1, 6)]
    assert len(known.of(model(*several), NOW)) == 5
    assert len(known.of(model(*several), NOW)) == 5
    assert len(known._seen) == 2


def test_members_choose_the_same_of_several() -> None:
    """The one that expires last, of these the one made last, whatever the order they came in."""
    early, late = (
        made(now=NOW - s * SECOND, life=timedelta(minutes=30) + s * SECOND) for s in (1, 0)
    )
    several = [early, late, made(life=timedelta(minutes=5))]
    for order in (several, several[::-1]):
        relayed = model(*order)
        (chosen,) = certificates_for(relayed, [POLICY], book().of(relayed, NOW))
        assert chosen.envelope.encode() == several[1]


def test_every_policy_needs_its_own() -> None:
    """The first that lacks one is named."""
    tenant = read_policy(vouching.policy({}, name="tenant", namespace="team-a"))
    both = [made(), made(policy_ref=tenant.ref, policy_digest=tenant.digest)]
    found = book().of(model(*both), NOW)
    chosen = certificates_for(model(), [POLICY, tenant], found)
    assert [one.certificate.statement.policy for one in chosen] == [POLICY.ref, tenant.ref]
    with pytest.raises(Unavailable, match="SafetyPolicy/team-a/tenant"):
        certificates_for(model(), [POLICY, tenant], found[:1])


TOO_LARGE = "x" * (member_api.CERTIFICATE_BYTES + 1)


@pytest.mark.requirement("bad input: forged, expired or foreign certificates count for nothing")
@pytest.mark.parametrize(
    "relayed",
    [
        None,
        1,
        {},
        "text",
        [1],
        [None],
        [{}],
        [""],
        ["ä"],
        ["\ud800"],
        [TOO_LARGE],
        [GOOD.decode()] * (member_api.CERTIFICATES_MAX + 1),
    ],
    ids=[
        *("null", "a number", "an object", "a text", "of numbers", "of nulls", "of objects"),
        *("of nothing", "not ASCII", "a lone surrogate", "too large", "too many"),
    ],
)
def test_a_list_that_cannot_be_read(relayed: Any) -> None:
    """Nothing of it counts, the operator is told, and the model is what it is."""
    document = MODEL | {member_api.CERTIFICATES_FIELD: relayed}
    with pytest.raises(InvalidInput, match="certificates"):
        member_api.relayed_certificates(document)
    read = read_model(document)
    assert (read.certificates, read.digest) == ((), read_model(MODEL).digest)
    batch = ObservedBatch(session="s", sequence=1, reset=True, models=(MODEL,))
    said = msgspec.structs.replace(batch, models=(document,))
    if relayed == ["\ud800"]:
        return  # no JSON holds it
    problems = Relay().accept(read_batch(msgspec.json.encode(said)), NOW)
    assert [problem.object for problem in problems] == ["team-a/demo"]
    assert "certificates" in problems[0].message


def test_certificates_are_no_part_of_what_is_judged() -> None:
    """Collecting one does not have the model judged again; and the newest list is the one."""
    assert model(GOOD).digest == model().digest
    assert read_model(MODEL).certificates == ()
    most = [GOOD.decode()] * member_api.CERTIFICATES_MAX
    document = MODEL | {member_api.CERTIFICATES_FIELD: most}
    assert len(read_model(document).certificates) == member_api.CERTIFICATES_MAX
