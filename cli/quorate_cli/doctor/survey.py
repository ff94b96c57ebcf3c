"""Everything the checks look at, read once. Large things are counted and forgotten."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from quorate import names
from quorate.admission.injection import InjectionConfig
from quorate.admission.snapshot import BrokenPolicy
from quorate.api.v1alpha1 import KINDS
from quorate.consensus.epoch import Epoch
from quorate.policy.compiled import CompiledPolicy
from quorate_cli.cluster import kinds
from quorate_cli.cluster.attempt import Unreadable, attempt
from quorate_cli.cluster.components import Component, read_components
from quorate_cli.cluster.installation import (
    previous_image,
    read_genesis,
    read_injection,
)
from quorate_cli.cluster.kinds import Document
from quorate_cli.cluster.model_summary import ModelSummary, summarise
from quorate_cli.cluster.modes import Modes, read_modes
from quorate_cli.cluster.protected_pods import PodCensus, census
from quorate_cli.cluster.reader import NotInstalled, Reader
from quorate_cli.policies import compile_all

T = TypeVar("T")
CONFIGURATION: Final = "quorate"
"""Name of both webhook configurations."""
FLOOR_PREFIX: Final = "quorate-floor"
LEAF_SECRET: Final = "quorate-webhook-tls"


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of the cluster."""

    compiled: list[CompiledPolicy]
    broken: list[BrokenPolicy]


@dataclass(frozen=True, slots=True)
class Survey:
    """What was read, each part as far as this user may read it."""

    now: datetime
    version: str
    ahead: timedelta | Unreadable
    """How far the API server's clock is ahead of this machine's."""
    definitions: dict[str, Document | None] | Unreadable
    """CustomResourceDefinitions by kind."""
    components: list[Component] | Unreadable
    genesis: Epoch | Unreadable
    injection: InjectionConfig | Unreadable
    previous_image: str | Unreadable
    mutating: Document | Unreadable | None
    validating: Document | Unreadable | None
    admission_policies: dict[str, Document] | Unreadable
    """By ``Kind/name``."""
    leaf: str | Unreadable
    """The webhook's serving certificate, PEM. Its key is never kept."""
    modes: Modes | Unreadable
    policies: Policies | Unreadable
    models: list[ModelSummary] | Unreadable
    pods: PodCensus | Unreadable


def survey(reader: Reader, now: datetime) -> Survey:
    """Read it all. Raises Unavailable if the API server does not answer."""
    genesis = attempt(lambda: read_genesis(reader))
    modes = attempt(lambda: read_modes(reader))
    policies = attempt(lambda: _policies(reader))
    return Survey(
        now=now,
        version=reader.version(),
        ahead=attempt(lambda: _ahead(reader)),
        definitions=attempt(lambda: _definitions(reader)),
        components=attempt(lambda: read_components(reader)),
        genesis=genesis,
        injection=_after(genesis, lambda known: read_injection(reader, known.digest_text)),
        previous_image=attempt(lambda: previous_image(reader)),
        mutating=attempt(lambda: reader.get(kinds.MUTATING, CONFIGURATION)),
        validating=attempt(lambda: reader.get(kinds.VALIDATING, CONFIGURATION)),
        admission_policies=attempt(lambda: _admission_policies(reader)),
        leaf=attempt(lambda: _leaf(reader)),
        modes=modes,
        policies=policies,
        models=_after(policies, lambda known: _models(reader, known, now)),
        pods=_after(modes, lambda known: census(reader, known.enforced)),
    )


S = TypeVar("S")


def _after(first: S | Unreadable, read: Callable[[S], T]) -> T | Unreadable:
    """Read what needs something else first; not readable if that is not."""
    if isinstance(first, Unreadable):
        return first
    return attempt(lambda: read(first))


def _ahead(reader: Reader) -> timedelta:
    server, here = reader.clock()
    return server - here


def _definitions(reader: Reader) -> dict[str, Document | None]:
    return {
        kind.kind_name: reader.get(kinds.CUSTOM_RESOURCE, f"{kind.plural}.{names.GROUP}")
        for kind in KINDS
    }


def _admission_policies(reader: Reader) -> dict[str, Document]:
    return {
        f"{kind.name}/{document['metadata']['name']}": document
        for kind in (kinds.ADMISSION_POLICY, kinds.ADMISSION_BINDING)
        for document in reader.each(kind)
        if str(document["metadata"]["name"]).startswith(FLOOR_PREFIX)
    }


def _leaf(reader: Reader) -> str:
    secret = reader.get(kinds.SECRET, LEAF_SECRET, names.NAMESPACE)
    if secret is None:
        raise NotInstalled(f"there is no Secret {LEAF_SECRET} in {names.NAMESPACE}")
    return str((secret.get("data") or {}).get("tls.crt", ""))


def _policies(reader: Reader) -> Policies:
    documents = [
        document
        for kind in (kinds.CLUSTER_SAFETY_POLICY, kinds.SAFETY_POLICY)
        for document in reader.each(kind)
    ]
    return Policies(*compile_all(documents))


def _models(reader: Reader, policies: Policies, now: datetime) -> list[ModelSummary]:
    return [summarise(d, policies.compiled, now) for d in reader.each(kinds.ATTESTED_MODEL)]
