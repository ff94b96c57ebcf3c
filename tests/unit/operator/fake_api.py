"""An API server in memory, below the operator's own client: paths, versions, conflicts, faults."""

import copy
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from quorate_operator.effects.api_server import ApiRefused, ApiServer
from quorate_operator.kinds import SAFETY_INCIDENT, WATCHED

Document = dict[str, Any]
_PLURALS = {kind.plural for kind in WATCHED} | {SAFETY_INCIDENT.plural}


class FakeApi(ApiServer):
    """Holds objects by path. ``fault`` may raise before a call is carried out."""

    def __init__(self) -> None:
        self.objects: dict[str, Document] = {}
        self.calls: list[tuple[str, str]] = []
        self.fault: Callable[[str, str], None] = lambda method, path: None
        self._version = 0

    def put(self, path: str, document: Document) -> Document:
        """Have an object there, whoever wrote it."""
        self._version += 1
        document = copy.deepcopy(document)
        metadata = document.setdefault("metadata", {})
        metadata["resourceVersion"] = str(self._version)
        metadata.setdefault("uid", f"uid-{self._version}")
        self.objects[path] = document
        return copy.deepcopy(document)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Document:
        self.calls.append((method, path))
        self.fault(method, path)
        if method == "POST":
            return self._created(f"{path}/{body['metadata']['name']}", body)
        if method == "GET" and path not in self.objects:
            below = [d for p, d in self.objects.items() if path in _collections(p)]
            if below or path.rpartition("/")[2] in _PLURALS:
                return {"items": copy.deepcopy(below), "metadata": {}}
        target = path.removesuffix("/status")
        if target not in self.objects:
            raise ApiRefused(404, "NotFound", f"{path} not found")
        if method == "GET":
            return copy.deepcopy(self.objects[target])
        if method == "DELETE":
            return self._deleted(target, body)
        return self._changed(method, target, body)

    def _created(self, path: str, body: Document) -> Document:
        if path in self.objects:
            raise ApiRefused(409, "AlreadyExists", f"{path} already exists")
        return self.put(path, body)

    def _deleted(self, path: str, options: Document) -> Document:
        known = self.objects[path]
        if options["preconditions"]["uid"] != known["metadata"]["uid"]:
            raise ApiRefused(409, "Conflict", "the UID in the precondition does not match")
        return self.objects.pop(path)

    def _changed(self, method: str, path: str, body: Any) -> Document:
        known = self.objects[path]
        if method == "PUT":
            if body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                raise ApiRefused(409, "Conflict", "the object has been modified")
            if known.get("immutable"):
                raise ApiRefused(422, "Invalid", "field is immutable")
            return self.put(path, body)
        if isinstance(body, dict):
            version = body.get("metadata", {}).get("resourceVersion")
            if version not in (None, known["metadata"]["resourceVersion"]):
                raise ApiRefused(409, "Conflict", "the object has been modified")
            return self.put(path, known | {k: v for k, v in body.items() if k != "metadata"})
        return self.put(path, _patched(known, body))


def _patched(document: Document, operations: list[Document]) -> Document:
    document = copy.deepcopy(document)
    for operation in operations:
        parts = operation["path"].strip("/").split("/")
        *parents, last = [part.replace("~1", "/") for part in parts]
        target: Any = document
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        index: Any = int(last) if isinstance(target, list) else last
        if operation["op"] == "test" and target[index] != operation["value"]:
            raise ApiRefused(422, "Invalid", "the server rejected our request")
        if operation["op"] == "add":
            target[index] = operation["value"]
        if operation["op"] == "remove":
            del target[index]
    return document


class FixedClock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time


def _collections(path: str) -> tuple[str, str]:
    """Where an object is listed: in its namespace, and with those of all namespaces."""
    collection = path.rpartition("/")[0]
    return collection, re.sub(r"/namespaces/[^/]+(?=/[^/]+$)", "", collection)


class Monotonic:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Holding:
    """A Lease that is held, or not."""

    def __init__(self, *, held: bool = True) -> None:
        self.held = held


class Marking:
    """The key of the operator's marks."""

    async def key(self) -> bytes:
        """Always the same one."""
        return b"k" * 32
