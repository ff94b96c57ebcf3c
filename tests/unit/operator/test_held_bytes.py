"""What models hold inside: budgets, and what becomes of those that do not fit."""

from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client

from quorate_operator.held_bytes import FREE_BYTES, HeldBytes
from quorate_operator.kinds import ATTESTED_MODEL, POD, Key, Kind
from quorate_operator.watch_session import WatchSession
from quorate_operator.world import Known, World
from tests.fakes import vouching
from tests.unit.operator.scene import MODEL, Scene

LARGE = FREE_BYTES + 1


def key(name: str, namespace: str = "team-a") -> Key:
    """A model."""
    return Key(ATTESTED_MODEL.name, namespace, name)


def test_budgets_of_a_namespace_and_of_all() -> None:
    """What does not fit is refused with its reason, and fits when something else is gone."""
    held = HeldBytes(namespace_bytes=2 * LARGE, total_bytes=3 * LARGE)
    assert held.take(key("a"), LARGE) == ""
    assert held.take(key("b"), LARGE) == ""
    why = held.take(key("c"), LARGE)
    assert "of namespace team-a" in why
    assert "spec.evidenceFrom" in why
    assert held.take(key("a", "team-b"), LARGE) == ""
    assert "of all namespaces" in held.take(key("b", "team-b"), LARGE)
    held.release(key("a"))
    assert held.take(key("c"), LARGE) == ""
    assert held.total == 3 * LARGE


def test_a_model_counts_once() -> None:
    """Seen again, larger or smaller, it is counted as it is; one that is refused, not at all."""
    held = HeldBytes(namespace_bytes=3 * LARGE, total_bytes=3 * LARGE)
    for size in (LARGE, 3 * LARGE, 2 * LARGE, 1):
        assert held.take(key("a"), size) == ""
        assert held.total == (size if size > 1 else 0)
    assert held.take(key("a"), 4 * LARGE) != ""
    held.release(key("a"))
    held.release(key("never"))
    assert held.total == 0


def test_small_models_always_fit() -> None:
    """Somebody else's large ones never keep an ordinary model out."""
    held = HeldBytes(namespace_bytes=LARGE, total_bytes=LARGE)
    assert held.take(key("hostile", "team-b"), LARGE) == ""
    assert all(held.take(key(f"m{n}"), FREE_BYTES) == "" for n in range(100))


def known(world: World) -> Known:
    """The scene's model as the operator knows it."""
    found = world.get(MODEL)
    assert found is not None
    return found


@pytest.mark.requirement("2 GB of hostile evidence changes nothing")
def test_a_model_that_does_not_fit_denies_and_is_read_when_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of it is kept or relayed, its status says why; the next list takes it in."""
    scene = Scene()
    scene.floor()
    monkeypatch.setattr(scene.world, "_held_bytes", HeldBytes(1, 1))
    document = large_model()
    scene.put(document)
    found = known(scene.world)
    assert found.relayed["spec"] == {}
    # Without it the API server would take no status.
    assert found.resource_version == scene.documents[MODEL]["metadata"]["resourceVersion"]
    assert scene.world.store.snapshot().models == {}
    scene.settle()
    for condition in scene.status["conditions"]:
        assert (condition["status"], condition["reason"]) == ("False", "Malformed")
        assert "keep documents in a registry" in condition["message"]
    monkeypatch.setattr(scene.world, "_held_bytes", HeldBytes())
    scene.world.put(ATTESTED_MODEL, scene.documents[MODEL], scene.now)
    assert known(scene.world).relayed["spec"] == document["spec"]
    assert scene.world.store.snapshot().models


def large_model() -> dict[str, Any]:
    """A model with more inside than always fits."""
    files = vouching.model_files()
    producer = vouching.signer()
    gates = tuple(vouching.gate_result(files, producer) for _ in range(12))
    return vouching.attested_model(files, gates=gates, name=MODEL.name)


async def test_lists_of_large_objects_come_in_small_pages() -> None:
    """Whatever page the framework asks for: five hundred models may be most of a gigabyte."""
    asked: list[tuple[str, dict[str, str]]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.path, dict(request.query)))
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    listed: list[Kind] = []
    sessions = WatchSession(configuration, heard=lambda _: None, listed=listed.append)
    async with sessions.open() as session:
        for kind, query in (
            (ATTESTED_MODEL, "limit=500"),
            (ATTESTED_MODEL, "limit=500&continue=a%3D%3D"),
            (POD, "limit=500&labelSelector=x"),
            (ATTESTED_MODEL, "watch=true"),
        ):
            async with session.get(f"{configuration.host}{kind.path()}?{query}"):
                pass
    await runner.cleanup()
    assert [query for _, query in asked] == [
        {"limit": "10"},
        {"limit": "10", "continue": "a=="},
        {"limit": "500", "labelSelector": "x"},
        {"watch": "true"},
    ]
    assert listed == [ATTESTED_MODEL, POD]
