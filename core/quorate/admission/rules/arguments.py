"""What a server is told lies in the measured model, and it is told to bind loopback.

Which argument means what is in the tables of :mod:`quorate.admission.servers`; which table, in the
policies' word for the image.
"""

import posixpath
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from quorate.admission import pods, servers
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.admission.servers.judge import Finding, Told, findings
from quorate.verdict import Denial, Reason

TOLD_CHARS = 16_384
"""Of one container. One that is told more is judged each time."""
_UNSET: tuple[str | None, ...] = (None,)
_SERVER = "spec.containers"


def arguments(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Every table of the image's kinds must find nothing."""
    for path, container in subject.users:
        if subject.downloads(path, container, allowed.downloaders):
            # What it fetches, and from where, is its own affair: all of it is measured after it.
            continue
        image = str(container.get("image") or "")
        kinds = allowed.kinds.get(pods.image_digest(container), _UNSET)
        told = _told(path, container, subject)
        judged = remembered if _length(image, told) <= TOLD_CHARS else _denials
        yield from judged(path, image, told, kinds)


def _told(path: str, container: dict[str, Any], subject: Subject) -> Told:
    variables = tuple(
        (v["name"], None if "valueFrom" in v else v.get("value", ""))
        for v in container.get("env") or ()
    )
    places = _model_places(container, subject)
    return Told(
        tuple(container.get("args") or ()), variables, places, serves=path.startswith(_SERVER)
    )


def _model_places(container: dict[str, Any], subject: Subject) -> tuple[str, ...]:
    """Where the container mounts the model."""
    volumes = [volume["name"] for volume in subject.model_volumes]
    mounts = container.get("volumeMounts") or ()
    return tuple(posixpath.normpath(m["mountPath"]) for m in mounts if m["name"] in volumes)


def _denials(
    path: str, image: str, told: Told, kinds: tuple[str | None, ...]
) -> tuple[Denial, ...]:
    """The denials of one container."""
    found: dict[Denial, None] = {}
    for kind in kinds:
        for finding in findings(told, servers.TABLES[kind]):
            found[_denial(path, finding, "" if kind else servers.guess(image))] = None
    return tuple(found)


remembered = lru_cache(maxsize=512)(_denials)
"""Pods of one template say the same."""


def _length(image: str, told: Told) -> int:
    """Characters that would be kept: a megabyte of arguments fits into a pod."""
    variables = (text or "" for variable in told.variables for text in variable)
    return sum(map(len, (image, *told.args, *told.places, *variables)))


def _denial(path: str, finding: Finding, guess: str) -> Denial:
    if finding.is_bind:
        return Denial(
            Reason.PORT_NOT_DECLARED,
            f"{path}: {finding.what} does not bind loopback alone; other addresses are the "
            "sidecar's",
            requirement="runtime.upstream.port",
            fix="bind loopback: --host 127.0.0.1, or OLLAMA_HOST=127.0.0.1",
        )
    hint = f"; if the image is {guess}, the policy should say so (kind: {guess})" if guess else ""
    return Denial(
        Reason.SERVER_NOT_ALLOWED,
        f"{path}: {finding.what}: {finding.why}",
        requirement="model.servers",
        fix=f"{finding.fix}{hint}",
    )
