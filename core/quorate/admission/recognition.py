"""Recognises model servers among pods that nobody labelled: what speaks for it, and how surely.

For people who look for what has not opted in. It never allows or refuses anything: in a namespace
that enforces, every pod is a model pod unless it is exempt.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.servers.signs import (
    ACCELERATORS,
    MODEL_OPTIONS,
    MODEL_PLACES,
    MODEL_VARIABLES,
    SIGNS,
)

ARGUMENTS_MAX: Final = 200
"""Arguments of a container that are looked at; a pod may hold far more."""
STRONG: Final = 60
FAIR: Final = 25
WEAK: Final = 10
_MODEL_OPTIONS: Final = ("--model", "--model-id", "--model-path", "-m", "--hf-repo", "-hf")
_MODEL_VARIABLES: Final = ("MODEL_ID", "HF_MODEL_ID", "LLAMA_ARG_MODEL", "MODEL_PATH", "MODEL_NAME")
_TEXT_MAX: Final = 120


class Confidence(StrEnum):
    """How surely a pod serves a model."""

    CERTAIN = "certain"
    """Its label names a model."""
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that speaks for a model server; for which, if ``kind`` is not empty."""

    weight: int
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A pod that seems to serve a model."""

    kind: str
    """Which server, as tables name it; empty if that is not known."""
    confidence: Confidence
    why: tuple[str, ...]
    image: str
    """The image that speaks most for it."""
    serves: str
    """What it is told to load, as its own arguments say; empty if they do not."""


def recognise(pod: Pod) -> Recognised | None:
    """What speaks for the pod's being a model server; None if too little does."""
    signs = [*_of_labels(pod)]
    best, best_weight = "", -1
    for _, container in pods.users_containers(pod):
        found = list(_of_container(container))
        weight = sum(sign.weight for sign in found)
        if weight > best_weight:
            best, best_weight = str(container.get("image") or ""), weight
        signs += found
    signs += _of_volumes(pod)
    confidence = _confidence(pod, signs)
    if confidence is None:
        return None
    why = dict.fromkeys(sign.text for sign in sorted(signs, key=lambda sign: -sign.weight))
    return Recognised(_kind(signs), confidence, tuple(why), best, _serves(pod))


def _confidence(pod: Pod, signs: list[Sign]) -> Confidence | None:
    if pods.model_name(pod):
        return Confidence.CERTAIN
    # The same thing said by two containers is still one thing.
    total = sum({sign.text: sign.weight for sign in signs}.values())
    if total >= STRONG:
        return Confidence.HIGH
    if total >= FAIR:
        return Confidence.MEDIUM
    return Confidence.LOW if total >= 2 * WEAK else None


def _kind(signs: list[Sign]) -> str:
    weights: dict[str, int] = {}
    for sign in signs:
        if sign.kind:
            weights[sign.kind] = weights.get(sign.kind, 0) + sign.weight
    strong = {kind: weight for kind, weight in weights.items() if weight >= FAIR}
    return max(strong, key=lambda kind: strong[kind]) if strong else ""


def _of_labels(pod: Pod) -> Iterator[Sign]:
    labels = pods.labels(pod)
    if name := pods.model_name(pod):
        yield Sign(STRONG, f"labelled with model {name}")
    for signs in SIGNS:
        for label in signs.labels:
            if label in labels:
                yield Sign(STRONG, f"label {label}", signs.kind)


def _of_container(container: dict[str, Any]) -> Iterator[Sign]:
    image = str(container.get("image") or "").partition("@")[0].lower()
    arguments = _arguments(container)
    programs = {PurePosixPath(word).name for word in _words(arguments)[:8]}
    variables = [str(item.get("name", "")) for item in container.get("env") or ()]
    ports = {port.get("containerPort") for port in container.get("ports") or ()}
    for signs in SIGNS:
        kind = signs.kind
        if any(part in image for part in signs.images):
            yield Sign(STRONG, f"image {image}", kind)
        for program in programs.intersection(signs.programs):
            # The word alone is an everyday one; what it does is said beside it.
            weight = WEAK if program == "serve" else STRONG
            yield Sign(weight, f"runs {program}", kind)
        if found := next((name for name in variables if name.startswith(signs.families)), ""):
            yield Sign(FAIR, f"variable {found}", kind)
        if signs.ports and ports.issuperset(signs.ports[:1]) and ports - {None}:
            yield Sign(WEAK, f"port {signs.ports[0]}", kind)
    yield from _of_anyone(container, arguments, variables)


def _of_anyone(
    container: dict[str, Any], arguments: list[str], variables: list[str]
) -> Iterator[Sign]:
    """What speaks for a model server, whichever it is."""
    resources = container.get("resources") or {}
    asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    for name, amount in sorted(asked.items()):
        if name.startswith(ACCELERATORS) and str(amount) != "0":
            yield Sign(FAIR, f"requests {name}")
    options = {argument.partition("=")[0].replace("_", "-") for argument in arguments}
    for option in MODEL_OPTIONS:
        if option in options:
            yield Sign(FAIR, f"argument {option}")
            break
    for name in variables:
        if name in MODEL_VARIABLES:
            yield Sign(WEAK, f"variable {name}")
            break
    for mount in container.get("volumeMounts") or ():
        path = str(mount.get("mountPath") or "").rstrip("/")
        if any(path.endswith(place) or f"{place}/" in path for place in MODEL_PLACES):
            yield Sign(WEAK, f"mounts {path}")
            break


def _of_volumes(pod: Pod) -> Iterator[Sign]:
    for volume in pods.volumes(pod):
        reference = (volume.get("image") or {}).get("reference")
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName") or ""
        if reference:
            yield Sign(WEAK, f"image volume {reference.partition('@')[0]}")
        elif "model" in claim.lower():
            yield Sign(WEAK, f"claim {claim}")


def _arguments(container: dict[str, Any]) -> list[str]:
    both = [*(container.get("command") or ()), *(container.get("args") or ())]
    return [str(argument) for argument in both[:ARGUMENTS_MAX]]


def _words(arguments: list[str]) -> list[str]:
    """The first words of the command line, those inside a shell's script too."""
    return [word for argument in arguments for word in argument[:4096].split()]


def _serves(pod: Pod) -> str:
    for _, container in pods.users_containers(pod):
        words = _words(_arguments(container))
        for index, word in enumerate(words):
            option, equals, value = word.partition("=")
            if option.replace("_", "-") in _MODEL_OPTIONS:
                following = words[index + 1] if index + 1 < len(words) else ""
                return (value if equals else following)[:_TEXT_MAX]
            if word == "serve" and index + 1 < len(words) and not words[index + 1].startswith("-"):
                return words[index + 1][:_TEXT_MAX]
        for item in container.get("env") or ():
            if item.get("name") in _MODEL_VARIABLES and item.get("value"):
                return str(item["value"])[:_TEXT_MAX]
    return ""
