"""One model server, by an image the policies name, started the way its image says.

A server's image never runs as an init container: it would answer on the pod's address before
anything was measured and before there is a sidecar, for as long as it likes.
"""

from collections.abc import Iterator
from typing import Any

from quorate.admission import pods
from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import INIT, Subject
from quorate.verdict import Denial, Reason

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def containers(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """One container besides the injected ones, init containers apart; every image is named."""
    regular = subject.spec.get("containers") or []
    if len(regular) != 1:
        found = ", ".join(str(container["name"]) for container in regular)
        yield Denial(
            Reason.EXTRA_CONTAINER,
            f"a model pod holds one container besides the injected ones; it has {found or 'none'}",
            fix="move the other containers to a pod of their own",
        )
    if subject.spec.get("ephemeralContainers"):
        yield Denial(
            Reason.EPHEMERAL_CONTAINER,
            "a model pod must not hold ephemeral containers; no exception covers these now",
            fix="create the pod anew: they cannot be taken out of it",
        )
    for path, container in subject.users:
        yield from _image(path, container, allowed)
        if container.get("restartPolicy") == "Always":
            yield Denial(Reason.EXTRA_CONTAINER, f"{path} must not be a native sidecar")
        yield from _other_programs(path, container)


def _image(path: str, container: dict[str, Any], allowed: Allowed) -> Iterator[Denial]:
    """What serves is a server; what runs before the measurement is a downloader and no server."""
    digest = pods.image_digest(container)
    named, field = allowed.servers, "servers"
    if path.startswith(INIT):
        named, field = allowed.downloaders - allowed.servers, "downloaders"
    image = str(container.get("image", ""))
    pins = allowed.pins.get(image, {}) if field == "servers" else {}
    if len(pins) > 1:
        said = ", ".join(f"{policy} to {pinned}" for pinned, policy in sorted(pins.items()))
        yield Denial(
            Reason.POLICY_CONFLICT,
            f"{path}: policies pin image {image!r} to different digests: {said}",
            requirement="model.servers",
            fix="pin it to one digest in all of them, or write the image by digest",
        )
    elif digest not in named:
        yield Denial(
            Reason.SERVER_NOT_ALLOWED,
            f"{path}: image {image!r} is not one of the policies' {field}",
            requirement=f"model.{field}",
            fix=f"use an image of spec.model.{field}, by digest"
            + (
                ", or by a tag that spec.model.servers[].image pins"
                if field == "servers"
                else "; one that is a server too runs as no init container"
            ),
        )


def _other_programs(path: str, container: dict[str, Any]) -> Iterator[Denial]:
    """Ways to start another program in an allowed image: command, hooks, probes."""
    if container.get("workingDir"):
        # Interpreters look for modules, and servers for settings, where they are started.
        yield _refused(
            f"{path} must not set workingDir", "leave it unset: the image says where it starts"
        )
    if container.get("command"):
        yield _refused(
            f"{path} must not override the image's command",
            "leave command unset and build what the server needs into its image",
        )
    hooks = container.get("lifecycle") or {}
    for hook in ("postStart", "preStop"):
        if "exec" in (hooks.get(hook) or ()):
            yield _refused(f"{path}.lifecycle.{hook} must not exec", "remove the hook")
    for probe in PROBES:
        if "exec" in (container.get(probe) or ()):
            yield _refused(
                f"{path}.{probe} must not exec",
                "use httpGet on a path of runtime.upstream.probePaths",
            )


def _refused(message: str, fix: str) -> Denial:
    return Denial(Reason.SERVER_NOT_ALLOWED, message, requirement="model.servers", fix=fix)
