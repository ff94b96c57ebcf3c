"""What a preview is judged on: policies with and without a draft, models, claims, the injection.

Read once, as the webhook reads it. What may not be read is a gap, and no verdict rests on it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from quorate import names
from quorate.admission import preview
from quorate.admission.model import KnownModel
from quorate.admission.snapshot import Snapshot
from quorate.admission.store import Store
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.meta import read
from quorate.errors import Unavailable
from quorate.policy.compiled import CompiledPolicy
from quorate.policy.exceptions import lifted
from quorate_cli.cluster import kinds
from quorate_cli.cluster.attempt import Unreadable, attempt
from quorate_cli.cluster.installation import (
    read_genesis,
    read_history,
    read_injection,
    read_previous,
)
from quorate_cli.cluster.kinds import Document, Kind
from quorate_cli.cluster.reader import NotPermitted, NotServed, Reader
from quorate_cli.explain.explanation import Gap
from quorate_cli.policies import compile_all, selects_model
from quorate_sigstore import OfflineSigstore

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ModelBrief:
    """What stays of an AttestedModel once it was judged: no evidence, no certificate."""

    namespace: str
    name: str
    digest: str
    owner: str
    """Name and contact, as the object says; empty if it names none."""
    model: AttestedModel


@dataclass(slots=True)
class Scene:
    """The cluster as it is, and as it would be with the drafts."""

    before: Snapshot | None = None
    """None where what every verdict rests on could not be read."""
    after: Snapshot | None = None
    policies: tuple[CompiledPolicy, ...] = ()
    """Those that would be in force, and compile."""
    briefs: dict[Key, ModelBrief] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    blind: set[str] = field(default_factory=set)
    """Namespaces about which no verdict can be given."""

    def knows(self, namespace: str) -> bool:
        """Whether pods of the namespace can be judged."""
        return self.after is not None and namespace not in self.blind and "" not in self.blind

    def gap(self, found: Unreadable | Unavailable) -> None:
        """Note what could not be read, once."""
        gap = Gap(message=found.message, fix=found.fix)
        if gap not in self.gaps:
            self.gaps.append(gap)


def read_scene(
    reader: Reader,
    now: datetime,
    namespaces: Iterable[str] | None = None,
    drafts: tuple[Document, ...] = (),
) -> Scene:
    """Read what verdicts rest on, of some namespaces or, with None, of all."""
    scene = Scene()
    stores = _stores(reader, scene)
    places = ("",) if namespaces is None else tuple(namespaces)
    policies = [
        *_each(reader, scene, kinds.CLUSTER_SAFETY_POLICY, ("",)),
        *_each(reader, scene, kinds.SAFETY_POLICY, places),
    ]
    drafted = {_identity(document) for document in drafts}
    then = [d for d in policies if _identity(d) not in drafted] + list(drafts)
    in_force = {policy.digest for policy in compile_all(policies)[0]}
    changed = tuple(p for p in compile_all(drafts)[0] if p.digest not in in_force)
    scene.policies = tuple(compile_all(then)[0])
    if stores is None:
        return scene
    before, after = stores
    for document in policies:
        before.put_policy(document)
    for document in then:
        after.put_policy(document)
    for document in _exceptions(reader, scene, needed=bool(changed)):
        before.put_exception(document)
    judged: dict[Key, KnownModel] = {}
    for document in _each(reader, scene, kinds.ATTESTED_MODEL, places):
        known = before.put_model(document, now)
        if known is not None:
            _take_model(scene, judged, known, document, changed, before.snapshot(), now)
    for document in _each(reader, scene, kinds.CLAIM, places):
        before.put_claim(document)
    scene.before = before.snapshot()
    scene.after = replace(
        after.snapshot(),
        models=judged,
        claims=scene.before.claims,
        exceptions=scene.before.exceptions,
    )
    return scene


def _stores(reader: Reader, scene: Scene) -> tuple[Store, Store] | None:
    genesis = attempt(lambda: read_genesis(reader))
    if isinstance(genesis, Unreadable):
        scene.gap(genesis)
        return None
    injection = attempt(lambda: read_injection(reader, genesis.digest_text))
    previous = attempt(lambda: read_previous(reader, genesis.digest_text))
    history = attempt(lambda: read_history(reader, genesis))
    for found in (injection, previous, history):
        if isinstance(found, Unreadable):
            scene.gap(found)
    if (
        isinstance(injection, Unreadable)
        or isinstance(previous, Unreadable)
        or isinstance(history, Unreadable)
    ):
        return None
    return Store(injection, history, previous), Store(injection, history, previous)


def _each(reader: Reader, scene: Scene, kind: Kind, places: tuple[str, ...]) -> Iterator[Document]:
    """The objects of a kind, page by page; what may not be read is noted."""
    for place in places:
        try:
            yield from reader.each(kind, place)
        except (NotPermitted, NotServed) as error:
            scene.gap(error)
            scene.blind.add(place)


def _exceptions(reader: Reader, scene: Scene, *, needed: bool) -> Iterator[Document]:
    """SafetyExceptions. One that may not be read lifts nothing, so a verdict is at most too strict.

    They are ``needed`` where a certificate is judged: those in force were judged by the committee.
    Besides they cover debugged pods, too rare a thing to call every preview incomplete for it.
    A release before this one does not serve the kind.
    """
    try:
        yield from reader.each(kinds.SAFETY_EXCEPTION, names.NAMESPACE)
    except NotServed:
        return
    except NotPermitted as error:
        if needed:
            scene.gap(error)


def _take_model(
    scene: Scene,
    judged: dict[Key, KnownModel],
    known: KnownModel,
    document: Document,
    drafts: tuple[CompiledPolicy, ...],
    snapshot: Snapshot,
    now: datetime,
) -> None:
    """Judge a model under the drafts that may be meant for it, and keep it in brief."""
    model = read(AttestedModel, document)
    for policy in drafts:
        mine = policy.ref.namespace in (None, known.namespace)
        if mine and selects_model(policy, known.name) != "no":
            workload = (known.namespace, known.name, known.manifest_digest)
            approved = snapshot.exceptions.get((known.namespace, known.name), ())
            found = lifted(approved, policy, workload, snapshot.cluster_id, now)
            known = preview.as_if_judged(known, model, policy, now, OfflineSigstore(), found)
    key = (known.namespace, known.name)
    judged[key] = known
    owners = model.spec.owners
    scene.briefs[key] = ModelBrief(
        namespace=known.namespace,
        name=known.name,
        digest=known.manifest_digest,
        owner=f"{owners.model.name} <{owners.model.contact}>" if owners else "",
        model=read(AttestedModel, _slim(document)),
    )


def _slim(document: Document) -> Document:
    """The model without what fills it: remedies look at its source, version and owners."""
    spec = {k: v for k, v in document["spec"].items() if k not in ("signatures", "evidence")}
    return {**{k: v for k, v in document.items() if k != "status"}, "spec": spec}


def _identity(document: Document) -> tuple[str, str, str]:
    metadata = document.get("metadata") or {}
    namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
    return str(document.get("kind") or ""), str(namespace), str(name)
