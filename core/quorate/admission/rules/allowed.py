"""What the rules compare a pod with."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from quorate.admission.injection import InjectionConfig
from quorate.admission.rules.subject import Subject
from quorate.api.v1alpha1.attested_model import Source
from quorate.policy.runtime import RuntimeRules
from quorate.verdict import Denial


class Allowed(msgspec.Struct, frozen=True):
    """What all policies that select the pod leave allowed."""

    source: Source
    servers: frozenset[str]
    kinds: Mapping[str, tuple[str | None, ...]]
    """Which server each image is; every one of its kinds' tables must pass."""
    sources: frozenset[str]
    """Kinds of places a model may come from."""
    downloaders: frozenset[str]
    """Digests of images that may fill the model's volume before it is measured."""
    volumes: frozenset[tuple[str, str]]
    rules: RuntimeRules
    injections: tuple[InjectionConfig, ...]
    """What may have been injected: by this release, and by the one before during an upgrade."""
    claim_modes: tuple[str, ...] | None
    """Access modes of the model's claim; None if it is unknown or the source is an image."""
    pins: Mapping[str, Mapping[str, str]] = {}
    """Digests that tagged images are pinned to, with the policy that says so."""
    places: Mapping[tuple[str, str], frozenset[str]] = {}
    """Where those of ``volumes`` may be mounted that may not be anywhere."""


Rule = Callable[[Subject, Allowed], Iterable[Denial]]
