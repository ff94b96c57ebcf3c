"""What an explanation is made of: everything read, and what could not be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from quorate.admission import pods
from quorate.admission.injection import InjectionConfig
from quorate.consensus.history import History
from quorate.errors import InvalidInput
from quorate_cli.cluster import kinds
from quorate_cli.cluster.installation import read_genesis, read_history, read_injection
from quorate_cli.cluster.kinds import Document, Kind
from quorate_cli.cluster.reader import NotInstalled, NotPermitted, Reader
from quorate_cli.explain.explanation import Gap
from quorate_cli.explain.pod_file import pod_of
from quorate_cli.explain.subject import Named
from quorate_cli.explain.target import Target, target_of

T = TypeVar("T")
EVENTS_MAX: Final = 200
MODELS_MAX: Final = 200
"""Other models looked at to guess which one a pod means."""


@dataclass(slots=True)
class Facts:
    """Documents as the API server gave them. ``pod`` is None if a model is explained."""

    namespace: str
    model_name: str
    pod: Document | None = None
    exists: bool = False
    """Whether the pod is in the cluster, and not only in a file or a template."""
    target: Target | None = None
    namespace_document: Document | None = None
    policies: list[Document] = field(default_factory=list)
    model: Document | None = None
    other_models: list[tuple[str, Document]] = field(default_factory=list)
    """Name and spec.source of the namespace's models, if the pod's own is not known."""
    claims: list[Document] = field(default_factory=list)
    history: History | None = None
    injection: InjectionConfig | None = None
    events: list[Document] = field(default_factory=list)
    ahead: timedelta = timedelta(0)
    """How far the API server's clock is ahead of this machine's, by which times are judged."""
    gaps: list[Gap] = field(default_factory=list)
    blind: bool = False
    """Something a verdict rests on could not be read."""


def gather_named(reader: Reader, named: Named) -> Facts:
    """Read what explains an object. Raises InvalidInput if it does not exist, Unavailable."""
    if named.kind is kinds.ATTESTED_MODEL:
        facts = Facts(named.namespace, named.name)
        facts.model = reader.get(named.kind, named.name, named.namespace)
        if facts.model is None:
            raise _absent(named, f"kubectl get attestedmodels -n {named.namespace}")
        _surroundings(reader, facts)
        return facts
    document = reader.get(named.kind, named.name, named.namespace)
    if document is None:
        raise _absent(named, "a pod refused at creation is in no list: explain its workload, or -f")
    if named.kind is not kinds.POD:
        target = Target(named.kind.name.lower(), named.namespace, named.name)
        return gather_template(reader, pod_of(document, named.namespace), target)
    facts = Facts(named.namespace, pods.model_name(document), pod=document, exists=True)
    facts.target = target_of(document)
    _surroundings(reader, facts)
    fields = f"involvedObject.kind=Pod,involvedObject.name={named.name}"
    seen = _try(facts, lambda: _list(reader, kinds.EVENT, named.namespace, EVENTS_MAX, fields))
    facts.events = seen or []
    return facts


def gather_template(reader: Reader, pod: Document, target: Target) -> Facts:
    """Read what explains a pod that is to be made from a file or by a workload."""
    facts = Facts(target.namespace, pods.model_name(pod), pod=pod, target=target)
    _surroundings(reader, facts)
    return facts


def _surroundings(reader: Reader, facts: Facts) -> None:
    """Everything around a pod or model that its verdict rests on."""
    namespace = facts.namespace
    server, here = reader.clock()
    facts.ahead = server - here
    found = _need(facts, lambda: reader.get(kinds.NAMESPACE, namespace))
    if found is None and not facts.blind:
        raise InvalidInput(f"there is no namespace {namespace}", fix="name another with -n")
    facts.namespace_document = found
    for kind in (kinds.CLUSTER_SAFETY_POLICY, kinds.SAFETY_POLICY):
        facts.policies += _need(facts, partial(_all, reader, kind, namespace)) or []
    genesis = _need(facts, lambda: read_genesis(reader))
    if genesis is not None:
        facts.history = _need(facts, lambda: read_history(reader, genesis))
        facts.injection = _need(facts, lambda: read_injection(reader, genesis.digest_text))
    if facts.model_name and facts.model is None:
        facts.model = _need(
            facts, lambda: reader.get(kinds.ATTESTED_MODEL, facts.model_name, namespace)
        )
    if facts.model is None and facts.pod is not None:
        models = _try(facts, lambda: _list(reader, kinds.ATTESTED_MODEL, namespace, MODELS_MAX))
        facts.other_models = [
            (str(m["metadata"]["name"]), (m.get("spec") or {}).get("source") or {})
            for m in models or ()
        ]
    claim = _claim_name(facts.model)
    if claim:
        document = _need(facts, lambda: reader.get(kinds.CLAIM, claim, namespace))
        facts.claims = [document] if document else []


def _absent(named: Named, fix: str) -> InvalidInput:
    return InvalidInput(f"there is no {named}", fix=fix)


def _claim_name(model: Document | None) -> str:
    source = ((model or {}).get("spec") or {}).get("source") or {}
    return str((source.get("persistentVolumeClaim") or {}).get("claimName") or "")


def _list(
    reader: Reader, kind: Kind, namespace: str, count_max: int, fields: str = ""
) -> list[Document]:
    """At most ``count_max`` objects: enough to show, never a base for a verdict."""
    return list(islice(reader.each(kind, namespace, fields=fields), count_max))


def _all(reader: Reader, kind: Kind, namespace: str) -> list[Document]:
    return list(reader.each(kind, namespace))


def _need(facts: Facts, read: Callable[[], T]) -> T | None:
    """Read something a verdict rests on. What is not allowed, or not there, is a gap."""
    return _try(facts, read, needed=True)


def _try(facts: Facts, read: Callable[[], T], *, needed: bool = False) -> T | None:
    try:
        return read()
    except (NotPermitted, NotInstalled) as error:
        facts.gaps.append(Gap(message=error.message, fix=error.fix))
        facts.blind = facts.blind or needed
        return None
