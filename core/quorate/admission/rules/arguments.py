"""Arguments and variables that make a server load something else, or listen beyond loopback.

A filter, not a proof: servers are many and their options change (quorate.admission.rules.
loading_options). What holds without it: the image is one the policies name, the model is measured.
"""

import posixpath
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.loading_options import (
    FORBIDDEN,
    FORBIDDEN_VARIABLES,
    PLACE_VARIABLES,
    PLACES,
)
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason

SUBCOMMANDS = frozenset({"serve", "server", "start"})
WILDCARDS = frozenset({"", "*", "0", "0.0.0.0", "::", "[::]"})  # noqa: S104 - to refuse them
_BINDS = {"bind", "host", "hostname", "listen-address"}
_BIND_VARIABLES = {"HOST", "HOSTNAME", "LLAMA_ARG_HOST", "OLLAMA_HOST", "VLLM_HOST"}
_ABBREVIATION_MIN = 3
_WHOLE = {"reasoning-parser", "token"}
"""Options that begin like a longer one in the lists, and are not short for it."""
_REFERENCE = re.compile(r"\$\(([^()]*)\)")


def arguments(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """What a server is told to load lies in the measured model; it is told to bind loopback."""
    for path, container in subject.users:
        args, variables = container.get("args"), container.get("env")
        if args or variables:
            named = [
                (v["name"], None if "valueFrom" in v else v.get("value", ""))
                for v in variables or ()
            ]
            places = _model_places(container, subject)
            yield from _denials(path, tuple(args or ()), tuple(named), places)


@lru_cache(maxsize=512)
def _denials(
    path: str,
    args: tuple[str, ...],
    variables: tuple[tuple[str, str | None], ...],
    places: tuple[str, ...],
) -> tuple[Denial, ...]:
    """The denials of one container. Remembered: pods of one template say the same."""
    values = _expanded_variables(variables)
    found = [*_variables(path, variables, values, places)]
    found += _options(path, [_expanded(arg, values) for arg in args], places)
    return tuple(found)


def _model_places(container: dict[str, Any], subject: Subject) -> tuple[str, ...]:
    """Where the container mounts the model."""
    volumes = [volume["name"] for volume in subject.model_volumes]
    mounts = container.get("volumeMounts") or ()
    return tuple(posixpath.normpath(m["mountPath"]) for m in mounts if m["name"] in volumes)


def _is_inside(value: str, places: tuple[str, ...]) -> bool:
    normal = posixpath.normpath(value)
    return any(normal == place or normal.startswith(f"{place}/") for place in places)


def _expanded(text: str, values: dict[str, str]) -> str:
    """A text as the kubelet expands it; what it takes from elsewhere stays as written."""
    if "$(" not in text:
        return text
    return _REFERENCE.sub(lambda found: values.get(found[1], found[0]), text)


def _expanded_variables(variables: tuple[tuple[str, str | None], ...]) -> dict[str, str]:
    """Variables whose value stands in the pod; each may refer to those before it."""
    values: dict[str, str] = {}
    for name, value in variables:
        if value is None:
            values.pop(name, None)
        else:
            values[name] = _expanded(value, values)
    return values


def _variables(
    path: str,
    variables: tuple[tuple[str, str | None], ...],
    values: dict[str, str],
    places: tuple[str, ...],
) -> Iterator[Denial]:
    for name, _ in variables:
        if name in FORBIDDEN_VARIABLES:
            yield _elsewhere(path, name)
        elif name in PLACE_VARIABLES and not _is_inside(values.get(name, ""), places):
            yield _outside(path, name, places)
        elif name in _BIND_VARIABLES and _is_wildcard(values.get(name, "")):
            yield _wildcard(path, name)


def _options(path: str, args: list[str], places: tuple[str, ...]) -> Iterator[Denial]:
    option = ""
    values_seen = 0
    for arg in args:
        if _is_hidden(arg):
            yield _hidden(path, arg)
        if not arg.startswith("-"):
            values_seen += 1
            yield from _value(path, option, arg, values_seen, places)
            continue
        option, equals, value = arg.partition("=")
        option = _option(option)
        values_seen = 0
        if option in FORBIDDEN:
            yield _elsewhere(path, f"--{option}")
        elif equals:
            values_seen = 1
            yield from _value(path, option, value, values_seen, places)


def _is_hidden(arg: str) -> bool:
    """Whether what is not in the pod decides which option this is."""
    return "$(" in (arg[:2] if not arg.startswith("-") else arg.partition("=")[0])


def _option(text: str) -> str:
    """The option that is meant: parsers take ``_`` for ``-``, dotted parts and abbreviations."""
    name = text.lstrip("-").replace("_", "-").split(".")[0].rstrip("+")
    if name in PLACES or name in FORBIDDEN or name in _WHOLE or len(name) < _ABBREVIATION_MIN:
        return name
    longer = sorted(known for known in FORBIDDEN | PLACES if known.startswith(name))
    return longer[0] if longer else name


def _value(
    path: str, option: str, value: str, position: int, places: tuple[str, ...]
) -> Iterator[Denial]:
    if option in PLACES:
        # An adapter may be written NAME=PATH.
        if not _is_inside(value.rpartition("=")[2], places):
            yield _outside(path, f"--{option} {value[:80]}", places)
    elif option in _BINDS:
        if _is_wildcard(value):
            yield _wildcard(path, f"--{option} {value}")
    elif option or (position == 1 and value in SUBCOMMANDS):
        return
    # Before any option stands what to serve, or, in an image without an entry point, what to run.
    elif not _is_inside(value, places):
        yield _outside(path, f"argument {value[:80]!r}", places)


def _is_wildcard(value: str) -> bool:
    """Whether a server told to bind ``HOST`` or ``HOST:PORT`` listens on every address."""
    host = value.rpartition("://")[2]
    if host.count(":") == 1 or "]:" in host:
        host = host.rpartition(":")[0]
    return host in WILDCARDS


def _hidden(path: str, arg: str) -> Denial:
    return Denial(
        Reason.SERVER_NOT_ALLOWED,
        f"{path}: argument {arg[:80]!r} begins with a value that does not stand in the pod",
        requirement="model.source",
        fix="write --option=$(NAME): the option in words, the reference after it",
    )


def _outside(path: str, what: str, places: tuple[str, ...]) -> Denial:
    where = places[0] if places else "the mounted model, which this container does not mount"
    return Denial(
        Reason.SERVER_NOT_ALLOWED,
        f"{path}: {what} is not in the measured model",
        requirement="model.source",
        fix=f"let it name a path in {where}",
    )


def _elsewhere(path: str, what: str) -> Denial:
    return Denial(
        Reason.SERVER_NOT_ALLOWED,
        f"{path} must not set {what}: it loads what was not measured",
        requirement="model.source",
        fix="put what the server needs into the model or into its image",
    )


def _wildcard(path: str, what: str) -> Denial:
    return Denial(
        Reason.PORT_NOT_DECLARED,
        f"{path}: {what} binds every address, which are the sidecar's",
        requirement="runtime.upstream.port",
        fix="bind loopback: --host 127.0.0.1, or OLLAMA_HOST=127.0.0.1",
    )
