"""The watches, by kopf: it opens them, follows them through breaks, and calls back for each event.

Only low-level event handlers are used. They keep no state, so kopf writes nothing to any object: no
finalizer, no annotation, no Event.
"""

import logging
from collections.abc import Callable
from typing import Any

import kopf

from quorate import names
from quorate_operator.kinds import WATCHED, Kind
from quorate_operator.watch_session import WatchSession

INACTIVITY_SECONDS = 70.0
"""The API server sends a bookmark every 60 s; a stream that is silent for longer is dead."""
CHUNK = 500
WORKERS = 500
IDLE_SECONDS = 0.05
"""How long a worker waits for another event of its object. Waiting workers count as working."""
REQUEST_SECONDS = 30.0

Document = dict[str, Any]
Arrived = Callable[[Kind, Document], None]
"""An object is there: listed, added or changed."""
Gone = Callable[[Kind, Document], None]
"""An object is there no more."""


class _NoDiffBase(kopf.DiffBaseStorage):
    """Nothing is compared with an earlier state, so none is computed, copied or stored."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


async def watch(session: WatchSession, arrived: Arrived, gone: Gone) -> None:
    """Watch every kind of kinds.WATCHED until SIGTERM or SIGINT. Raises if a watch cannot go on.

    The callbacks run on the event loop and must not block.
    """
    registry = kopf.OperatorRegistry()
    _on_login(registry, session)
    for kind in WATCHED:
        _on_event(registry, kind, arrived, gone)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    await kopf.operator(
        registry=registry,
        settings=_settings(),
        standalone=True,
        clusterwide=True,
        # Left to itself, the framework asks who the user is, and a container's has no name.
        identity=names.OPERATOR_ACCOUNT,  # type: ignore[arg-type]
    )


def _on_login(registry: kopf.OperatorRegistry, session: WatchSession) -> None:
    @kopf.on.login(registry=registry, id="session")
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=session.server, aiohttp_session=session.open())


def _on_event(registry: kopf.OperatorRegistry, kind: Kind, arrived: Arrived, gone: Gone) -> None:
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"on-{kind.plural}")
    async def event(event: Any, **_: Any) -> None:
        document: Document = event["object"]
        if event["type"] == "DELETED":
            gone(kind, document)
        else:
            arrived(kind, document)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # What is served is known; neither CRDs nor namespaces are watched by the framework itself.
    settings.scanning.disabled = True
    settings.watching.inactivity_timeout = INACTIVITY_SECONDS
    settings.watching.chunk_size = CHUNK
    settings.queueing.worker_limit = WORKERS
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.networking.request_timeout = REQUEST_SECONDS
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.process.ultimate_exiting_timeout = 20.0
    for kind in WATCHED:
        if kind.label_selector:
            selector = (kind.group, kind.version, kind.plural)
            settings.watching.label_selectors[selector] = kind.label_selector
    return settings
