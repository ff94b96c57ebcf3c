"""Signatures of server images: read beside the image, relayed with the policy."""

from datetime import timedelta
from typing import Any

import pytest

from quorate.api.v1alpha1.document_source import SourceField
from quorate.certificate import ServerImage
from quorate.evidence.image_signing import sign_image
from quorate_io.member_api import FetchedImage, fetched_images
from quorate_operator.kinds import policy_key
from quorate_operator.reconcile.actions import ApplyStatus, Evaluate
from quorate_operator.reconcile.policy import plan_policy
from quorate_operator.sources.documents import Failed, as_read
from quorate_operator.world import Known
from tests.fakes import vouching
from tests.unit.operator.scene import FLOOR, FLOOR_SPEC, MODEL, Scene
from tests.unit.operator.test_sources_gatherer import AWAY, Stand

A, B = (f"sha256:{char * 64}" for char in "ab")
RELEASE = vouching.signer()
BUNDLE = sign_image(A, RELEASE)
POLICY = policy_key(FLOOR)
REPOSITORY = "registry.example.com/serving/server"
GONE = Failed("NotFound", "there is no such image", settled=True)


def asking(**fields: Any) -> dict[str, Any]:
    """The floor, asking for signatures of two images; those of the first are in a registry."""
    servers = [
        {"name": "a", "digest": A, "signatureRepository": REPOSITORY} | fields,
        {"name": "b", "digest": B},
    ]
    model = {"servers": servers, "serverSigners": vouching.signers(RELEASE)}
    return FLOOR_SPEC | {"model": FLOOR_SPEC["model"] | model}


def stand() -> Stand:
    """A scene whose policy asks, and its gatherer. The member knows everything so far."""
    scene = Scene()
    scene.floor(asking())
    scene.model()
    found = Stand(scene)
    found.reader.held[SourceField.SERVERS] = as_read([BUNDLE])
    scene.pending.clear()
    return found


def known(found: Stand) -> Known:
    """The policy as the operator knows it."""
    policy = found.scene.world.get(POLICY)
    assert policy is not None
    return policy


def relayed(found: Stand) -> tuple[FetchedImage, ...]:
    """What the member is told of the policy's images."""
    return fetched_images(known(found).relayed)


async def test_what_lies_beside_an_image_goes_with_the_policy() -> None:
    """Its spec stays as it is; the member hears of it, and the models are looked at again."""
    found = stand()
    before = known(found).relayed["spec"]
    assert relayed(found) == (FetchedImage(digest=A, unread=True),)
    await found.gatherer.look(POLICY)
    assert relayed(found) == (FetchedImage(digest=A, bundles=(BUNDLE.decode(),)),)
    assert known(found).relayed["spec"] == before
    assert POLICY in found.scene.pending.objects
    assert found.followed == {POLICY, MODEL}


async def test_nothing_new_concerns_nobody() -> None:
    """The same bytes again: no model is looked at, and the member is told nothing."""
    found = stand()
    await found.gatherer.look(POLICY)
    found.scene.pending.clear()
    found.followed.clear()
    found.scene.now += timedelta(minutes=5)
    await found.gatherer.look(POLICY)
    assert found.followed == {POLICY}
    assert not found.scene.pending.objects


@pytest.mark.requirement("fault: a registry that is away is named, and found again")
async def test_a_registry_that_is_away() -> None:
    """Before the first reading: not known. After it: what it last held counts for a day."""
    found = stand()
    found.reader.held[SourceField.SERVERS] = AWAY
    await found.gatherer.look(POLICY)
    assert relayed(found) == (FetchedImage(digest=A, unread=True),)
    assert found.followed == {POLICY, MODEL}
    found.reader.held[SourceField.SERVERS] = as_read([BUNDLE])
    await found.gatherer.look(POLICY)
    found.reader.held[SourceField.SERVERS] = AWAY
    await found.gatherer.look(POLICY)
    assert relayed(found) == (FetchedImage(digest=A, bundles=(BUNDLE.decode(),)),)
    found.scene.now += timedelta(hours=25)
    await found.gatherer.look(POLICY)
    assert relayed(found) == (FetchedImage(digest=A),)


async def test_an_answer_that_there_is_nothing_counts_at_once() -> None:
    """Not listed, or no such image: read, and empty."""
    found = stand()
    found.reader.held[SourceField.SERVERS] = GONE
    await found.gatherer.look(POLICY)
    assert relayed(found) == (FetchedImage(digest=A),)


def written(found: Stand) -> dict[str, Any]:
    """The policy's status as it would be written now."""
    (action,) = plan_policy(POLICY, known(found), found.scene.now)
    assert isinstance(action, ApplyStatus)
    return action.status


async def test_the_policys_status_says_what_was_read() -> None:
    """By the server's name, with digests of the documents; and after a restart, that it was."""
    found = stand()
    (source,) = written(found)["sources"]
    assert (source["field"], source["name"], source["status"]) == ("model.servers", "a", "Unknown")
    await found.gatherer.look(POLICY)
    status = written(found)
    (source,) = status["sources"]
    assert (source["status"], source["reason"]) == ("True", "Fetched")
    assert source["documents"][0]["size"] == len(BUNDLE)
    again = Scene(now=found.scene.now + timedelta(hours=1))
    again.put({**vouching.policy(asking()), "status": status})
    later = Stand(again)
    later.reader.held[SourceField.SERVERS] = AWAY
    await later.gatherer.look(POLICY)
    (source,) = written(later)["sources"]
    assert (source["status"], source["documents"]) == ("Unknown", status["sources"][0]["documents"])
    assert source["fetchedAt"] == status["sources"][0]["fetchedAt"]


def questions(found: Stand) -> list[Evaluate]:
    """What the member would be asked now."""
    return [a for a in found.scene.plan().actions if isinstance(a, Evaluate)]


async def test_models_are_judged_once_the_place_was_asked() -> None:
    """Not before, as it would be judging twice; also if it did not answer; again for news."""
    found = stand()
    assert questions(found) == []
    found.reader.held[SourceField.SERVERS] = AWAY
    await found.gatherer.look(POLICY)
    assert [asked.policy for asked in questions(found)] == [FLOOR]
    found.scene.approves()
    assert questions(found) == []
    found.reader.held[SourceField.SERVERS] = GONE
    await found.gatherer.look(POLICY)
    assert [asked.policy for asked in questions(found)] == [FLOOR]
    found.scene.approves()
    found.reader.held[SourceField.SERVERS] = as_read([BUNDLE])
    await found.gatherer.look(POLICY)
    assert [asked.policy for asked in questions(found)] == [FLOOR]


async def test_a_status_found_after_a_restart_is_asked_about() -> None:
    """It does not say which signatures its certificate rests on, which counts meanwhile."""
    found = stand()
    await found.gatherer.look(POLICY)
    found.scene.approves()
    found.scene.settle()
    found.scene.outcomes.clear()
    assert [asked.policy for asked in questions(found)] == [FLOOR]
    assert found.scene.condition("Certified")[0] == "True"


def test_a_policy_that_asks_for_none_reads_nothing() -> None:
    """And is relayed as it was."""
    scene = Scene()
    scene.floor()
    policy = scene.world.get(POLICY)
    assert policy is not None
    assert "fetched" not in policy.relayed
    assert not policy.untried


def test_the_gates_condition_does_not_speak_of_images() -> None:
    """An unsigned image is no gate that failed."""
    scene = Scene()
    scene.floor(asking(signatureRepository=None))
    scene.model()
    scene.approves()
    scene.settle()
    assert scene.condition("GatesPassed") == ("True", "Verified")
    assert ServerImage(A, ("keys/x",)).not_after is None
