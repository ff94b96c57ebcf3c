"""Models whose documents are kept elsewhere, when the operator does not know yet what is there."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from quorate.errors import InvalidInput, Unavailable
from quorate_consensus.evaluations import read_question
from quorate_consensus.observed import ObservedModel
from quorate_consensus.relay import Relay
from quorate_io.member_api import ObservedBatch
from tests.fakes.vouching import NOW
from tests.unit.consensus.scene import Scene, relayed
from tests.unit.consensus.test_state_service import Desk, caller

SCENE = Scene()


def model(*, read: bool, scene: Scene = SCENE, **identity: Any) -> dict[str, Any]:
    """The model as the operator relays it: with what its source holds, or before it was read."""
    found = scene.model()
    found["metadata"] |= {"generation": 1} | identity
    source = {"name": "gates", "configMap": {"name": "gates", "key": "envelope"}}
    found["spec"]["evidenceFrom"] = [source]
    if not read:
        found["spec"]["evidence"] = []
    status = "True" if read else "Unknown"
    entry = {"field": "evidenceFrom", "name": "gates", "status": status, "reason": "Relayed"}
    return found | {"status": {"sources": [entry]}}


def held(relay: Relay) -> ObservedModel:
    """The model as the member holds it."""
    assert relay.current is not None
    found = relay.current.models[("team-a", "demo")]
    assert isinstance(found, ObservedModel)
    return found


@pytest.mark.requirement("fault: an operator that has just begun revokes nothing it cannot read")
def test_what_was_read_counts_until_the_next_operator_has_read() -> None:
    """A new session's model without its documents does not displace the one with them."""
    relay = relayed(SCENE.batch(models=(model(read=True),)))
    before = held(relay)
    relayed(SCENE.batch(session="s-2", models=(model(read=False),)), relay=relay)
    assert held(relay) == before
    relayed(ObservedBatch(session="s-2", sequence=2, models=(model(read=False),)), relay=relay)
    assert held(relay) == before
    empty = model(read=True)
    empty["spec"]["evidence"] = []
    relayed(ObservedBatch(session="s-2", sequence=3, models=(empty,)), relay=relay)
    assert held(relay).model.spec.evidence == []
    assert not held(relay).unread


@pytest.mark.parametrize("identity", [{"generation": 2}, {"uid": "uid-other"}, {"uid": ""}])
def test_only_the_same_model_keeps_its_documents(identity: dict[str, Any]) -> None:
    """Of another generation or incarnation nobody knows what its sources hold."""
    relay = relayed(SCENE.batch(models=(model(read=True),)))
    relayed(SCENE.batch(session="s-2", models=(model(read=False, **identity),)), relay=relay)
    assert held(relay).unread


def test_a_removed_model_keeps_nothing() -> None:
    """What a session leaves out is gone, and comes back without documents."""
    relay = relayed(SCENE.batch(models=(model(read=True),)))
    relayed(SCENE.batch(session="s-2", models=()), relay=relay)
    relayed(ObservedBatch(session="s-2", sequence=2, models=(model(read=False),)), relay=relay)
    assert held(relay).unread


def test_a_model_without_a_word_about_its_sources_is_unread() -> None:
    """As it lies in the API server, nobody has read anything for it."""
    found = model(read=True)
    del found["status"]
    assert held(relayed(SCENE.batch(models=(found,)))).unread


def test_an_unread_model_is_not_judged() -> None:
    """A denial would revoke; so the question is refused."""
    asked: dict[str, Any] = {"policy": SCENE.floor(), "issuedAt": NOW}
    read_question(msgspec.json.encode(asked | {"model": model(read=True)}))
    with pytest.raises(InvalidInput, match="evidenceFrom"):
        read_question(msgspec.json.encode(asked | {"model": model(read=False)}))


@pytest.mark.requirement("a model whose sources were not read is not judged")
async def test_pods_of_an_unread_model_are_told_neither_yes_nor_no() -> None:
    """They go on with the state they have until it expires; once read, they are told."""
    with ThreadPoolExecutor(1) as workers:
        desk = Desk(workers)
        desk.tell(models=(model(read=False, scene=desk.scene),))
        with pytest.raises(Unavailable, match="was not read yet"):
            await desk.states.envelope(caller())
        desk.tell(2, models=(desk.scene.collected(model(read=True, scene=desk.scene)),))
        assert await desk.state()
