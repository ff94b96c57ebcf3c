"""Server images at a member: what is relayed, what is held of it, and what is certified."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from quorate import certificate
from quorate.errors import InvalidInput
from quorate.evidence.image_signing import sign_image
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.server_images import judge_servers
from quorate_consensus import judged_images
from quorate_consensus.evaluations import answer, read_question
from quorate_consensus.issuing import Vote, judge, vote
from quorate_consensus.judged_images import KEPT_SECONDS, JudgedImages
from quorate_consensus.relay import Relay, read_model, read_policy
from quorate_io.member_api import FetchedImage, ObservedBatch, decode, encode
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import Scene, relayed

A, B = (f"sha256:{char * 64}" for char in "ab")
SCENE, RELEASE = Scene(), vouching.signer()
BUNDLE = sign_image(A, RELEASE).decode()
MODEL = SCENE.model()


def floor(*images: FetchedImage, signatures: Any = ()) -> dict[str, Any]:
    """The floor as the operator relays it: two images that must be signed, and what was read."""
    found = SCENE.floor()
    found["spec"]["model"] |= {
        "servers": [
            {"name": "a", "digest": A, "signatureRepository": "registry.example.com/a"},
            {"name": "b", "digest": B, "signatures": list(signatures)},
        ],
        "serverSigners": vouching.signers(RELEASE),
    }
    return found | ({"fetched": msgspec.to_builtins(images)} if images else {})


READ, UNREAD = FetchedImage(digest=A, bundles=(BUNDLE,)), FetchedImage(digest=A, unread=True)
NOTHING = FetchedImage(digest=A)


def voted(document: dict[str, Any]) -> Vote:
    """What the member says of the scene's model."""
    return vote(SCENE.committee, read_policy(document), read_model(MODEL), NOW)


def statement(found: Vote) -> certificate.Statement:
    """What the vote says."""
    assert found.envelope is not None
    return certificate.verify(found.envelope.encode(), SCENE.members.history, NOW).statement


@pytest.mark.requirement("a member re-verifies the evidence itself and signs certificates")
def test_the_certificate_lists_what_the_member_verified() -> None:
    """Digest and signer of each signed image, and the document; of an unread one that it is."""
    said = statement(voted(floor(READ)))
    assert [(image.digest, image.signed_by) for image in said.servers] == [(A, ("keys/key-0",))]
    assert len(said.evidence) == 3
    assert said.servers_unread == ()
    said = statement(voted(floor(UNREAD)))
    assert (said.servers, said.servers_unread) == ((), (A,))
    assert voted(floor(NOTHING)).envelope is None


@pytest.mark.requirement("the operator's word about signatures never counts")
def test_a_relayed_signature_counts_for_what_it_proves() -> None:
    """Told that A's signature lies beside B, or that a stranger's is A's, the member finds none."""
    for image in (
        FetchedImage(digest=B, bundles=(BUNDLE,)),
        FetchedImage(digest=A, bundles=(sign_image(A, vouching.signer()).decode(),)),
        FetchedImage(digest=A, bundles=("{}", "junk", "")),
    ):
        assert voted(floor(image)).envelope is None


def test_a_certificate_without_images_is_as_it_was() -> None:
    """Members and readers of the release before read it: no field of these is in it."""
    plain = statement(voted(SCENE.floor()))
    assert b"servers" not in msgspec.json.encode(plain)


def test_the_digest_is_that_of_the_policy_as_it_is_held() -> None:
    """What was fetched changes no digest, and voids no certificate of another model."""
    assert read_policy(floor(READ)).digest == read_policy(floor()).digest


def test_other_documents_make_another_judgement() -> None:
    """A standing is about what was read."""
    model, unread = read_model(MODEL), read_policy(floor(UNREAD))
    first = judge(SCENE.committee, unread, model, NOW)
    assert first.is_about(unread, model)
    assert not first.is_about(read_policy(floor(READ)), model)


def test_the_requirement_says_who_signed() -> None:
    """In the answer to the operator, for people."""
    said = {r.name: r for r in answer(voted(floor(READ))).requirements}["ServersSigned"]
    assert said.status == "True"
    assert said.message.startswith("signed: a (by keys/key-0); not signed: b: ")
    said = {r.name: r for r in answer(voted(floor(NOTHING))).requirements}["ServersSigned"]
    assert (said.status, said.reason) == ("False", "ServerImageNotSigned")
    assert "cosign sign registry.example.com/a@" in said.fix


def held(relay: Relay) -> CompiledPolicy:
    """The floor as the member holds it."""
    assert relay.current is not None
    (policy,) = relay.current.policies_for("team-a")
    return policy


def bundles(policy: CompiledPolicy) -> tuple[str, ...]:
    """What is known to lie beside A."""
    return policy.fetched.of(A)


@pytest.mark.requirement("fault: an operator that has just begun revokes nothing it cannot read")
def test_what_was_read_counts_until_the_next_operator_has_read() -> None:
    """A new session that has yet to read displaces nothing; one that read nothing does."""
    relay = relayed(SCENE.batch(policies=(floor(READ),)))
    relayed(SCENE.batch(session="s-2", policies=(floor(UNREAD),)), relay=relay)
    assert bundles(held(relay)) == (BUNDLE,)
    assert held(relay).fetched.unread == frozenset()
    relayed(ObservedBatch(session="s-2", sequence=2, policies=(floor(UNREAD),)), relay=relay)
    assert bundles(held(relay)) == (BUNDLE,)
    asked = relay.with_signatures(read_policy(floor(UNREAD)))
    assert bundles(asked) == (BUNDLE,)
    relayed(ObservedBatch(session="s-2", sequence=3, policies=(floor(NOTHING),)), relay=relay)
    assert bundles(held(relay)) == ()
    assert held(relay).fetched.unread == frozenset()


def test_what_is_held_is_per_image_and_policy() -> None:
    """A policy that went, or another one, holds nothing for this one."""
    relay = relayed(SCENE.batch(policies=(floor(READ),)))
    relayed(SCENE.batch(session="s-2", policies=()), relay=relay)
    relayed(ObservedBatch(session="s-2", sequence=2, policies=(floor(UNREAD),)), relay=relay)
    assert held(relay).fetched.unread == frozenset({A})


@pytest.mark.parametrize(
    "fetched",
    [1, {}, [{}], [{"digest": "latest"}], [{"digest": A, "more": 1}], [{"digest": A}] * 49],
)
def test_malformed_documents_break_the_policy(fetched: Any) -> None:
    """A policy of which nobody knows what was read is none: it denies."""
    with pytest.raises(InvalidInput):
        read_policy(floor() | {"fetched": fetched})


def test_a_question_carries_what_was_read() -> None:
    """From its JSON form, as the operator sends it."""
    body = msgspec.json.encode({"policy": floor(READ), "model": SCENE.model(), "issuedAt": NOW})
    policy, _, _ = read_question(body)
    assert bundles(policy) == (BUNDLE,)
    assert decode(encode(READ), FetchedImage, bytes_max=10_000, what="image") == READ


def test_images_are_judged_once_for_many_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a minute, and until a signature ends; other documents are another question."""
    asked: list[Any] = []

    def counted(policy: CompiledPolicy, context: Any) -> Any:
        asked.append(context.now)
        return judge_servers(policy, context)

    monkeypatch.setattr(judged_images, "judge_servers", counted)
    images, policy = JudgedImages(None), read_policy(floor(READ))
    first = images.under(policy, NOW)
    assert images.under(policy, NOW + timedelta(seconds=KEPT_SECONDS - 1)) is first
    assert len(asked) == 1
    images.under(policy, NOW + timedelta(seconds=KEPT_SECONDS))
    images.under(policy, NOW)  # a clock that was set back is asked again
    images.under(read_policy(floor(UNREAD)), NOW)
    assert len(asked) == 4
    assert images.under(read_policy(SCENE.floor()), NOW).signed == ()
    assert len(asked) == 4


@pytest.mark.requirement("certificates carry votes of members on one identical statement")
def test_images_are_judged_for_a_vote_as_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as of a minute ago, or members would sign different lists; once for one time."""
    asked: list[Any] = []

    def counted(policy: CompiledPolicy, context: Any) -> Any:
        asked.append(context.now)
        return judge_servers(policy, context)

    monkeypatch.setattr(judged_images, "judge_servers", counted)
    images, policy = JudgedImages(None), read_policy(floor(READ))
    images.under(policy, NOW)
    images.exactly(policy, NOW)
    assert asked == [NOW]
    later = NOW + timedelta(seconds=1)
    first = images.exactly(policy, later)
    assert images.exactly(policy, later) is images.under(policy, later) is first
    assert asked == [NOW, later]
