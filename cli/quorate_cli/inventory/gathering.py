"""Reading a cluster for an inventory, page by page; of the pods, only rows are kept."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec import structs

from quorate import names
from quorate.admission import escape, pods, preview
from quorate.admission.floor import EXCLUDED_NAMESPACES
from quorate.admission.preview import Fate, Foreseen
from quorate.admission.recognition import Confidence, Recognised, recognise
from quorate.admission.suspension import suspension_of
from quorate.errors import InvalidInput
from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document
from quorate_cli.cluster.modes import MODES
from quorate_cli.cluster.reader import NotPermitted, NotServed, Reader
from quorate_cli.explain.target import target_of
from quorate_cli.inventory.outcome import RISKS, Inventory, Risk, Server, Verdict
from quorate_cli.preview.scene import Scene, read_scene
from quorate_cli.progress import Progress

NOT_KNOWN: Final = "not known"
"""The mode of a namespace that may not be read."""
_UNRECOGNISED: Final = Recognised(
    "", Confidence.LOW, ("not exempt in a namespace that enforces",), "", ""
)
_ESCAPED: Final = (Fate.REPLACED, Fate.DELETED, Fate.REFUSED, Fate.STATIC)


@dataclass(slots=True)
class _Found:
    """The first pod of a workload as a row, and how many are like it."""

    server: Server
    count: int = 1


def take_inventory(
    reader: Reader, only: str | None, default: str, now: datetime, progress: Progress
) -> Inventory:
    """Every model server of the cluster, or of namespace ``only``.

    ``default`` is looked at if this user may list neither all pods nor the namespaces.
    """
    namespaces, gaps = _namespaces(reader, only, default)
    modes = {name: _mode(found) for name, found in namespaces.items()}
    whole = only is None and gaps is None and _may_list_all(reader)
    scene = read_scene(reader, now, None if whole else sorted(modes))
    if gaps is not None:
        scene.gap(gaps)
    rows: dict[tuple[Any, ...], _Found] = {}
    count = 0
    for pod in _pods(reader, [""] if whole else sorted(modes), scene):
        count += 1
        progress.read(count, "pods")
        if escape.is_over(pod, now):
            continue
        server = _server(pod, modes.get(pods.namespace(pod), ""), scene, now)
        if server is None:
            continue
        # Everything but the count: what differs in anything shown is another row.
        key = structs.astuple(server)
        if key in rows:
            rows[key].count += 1
        else:
            rows[key] = _Found(server)
    broken = (suspension_of(found) for found in namespaces.values() if found is not None)
    found = _inventory(rows.values(), count, len(modes), scene)
    return structs.replace(found, suspended=tuple(one for one in broken if one is not None))


def _inventory(rows: Iterable[_Found], count: int, namespaces: int, scene: Scene) -> Inventory:
    servers = [structs.replace(found.server, pods=found.count) for found in rows]
    servers.sort(key=lambda s: (RISKS.index(s.risk), s.namespace, s.workload))
    by_risk = Counter[str]()
    for server in servers:
        by_risk[server.risk] += server.pods
    return Inventory(
        servers=tuple(servers),
        pods_read=count,
        namespaces=namespaces,
        by_risk={str(risk): by_risk[risk] for risk in RISKS},
        gaps=tuple(scene.gaps),
    )


def _namespaces(
    reader: Reader, only: str | None, default: str
) -> tuple[dict[str, Document | None], NotPermitted | None]:
    """Namespaces, None for one that may not be read, and why they are not all."""
    try:
        if only is not None:
            found = reader.get(kinds.NAMESPACE, only)
            if found is None:
                raise InvalidInput(f"there is no namespace {only}", fix="name another with -n")
            return {only: found}, None
        return {str(d["metadata"]["name"]): _slim(d) for d in reader.each(kinds.NAMESPACE)}, None
    except NotPermitted as error:
        return {only or default: None}, error


def _slim(namespace: Document) -> Document:
    fields = ("name", "uid", "labels", "annotations")
    metadata = namespace["metadata"]
    return {"metadata": {field: metadata[field] for field in fields if field in metadata}}


def _mode(namespace: Document | None) -> str:
    if namespace is None:
        return NOT_KNOWN
    mode = str((namespace["metadata"].get("labels") or {}).get(names.MODE_LABEL, ""))
    excluded = namespace["metadata"]["name"] in EXCLUDED_NAMESPACES
    return mode if mode in MODES and not excluded else ""


def _may_list_all(reader: Reader) -> bool:
    """Whether this user may list the pods and models of all namespaces at once."""
    try:
        for kind in (kinds.POD, kinds.ATTESTED_MODEL, kinds.SAFETY_POLICY, kinds.CLAIM):
            next(iter(reader.each(kind)), None)
    except NotPermitted:
        return False
    except NotServed:
        # Quorate is not installed: the servers are listed all the same.
        return True
    return True


def _pods(reader: Reader, places: list[str], scene: Scene) -> Iterator[Document]:
    for place in places:
        try:
            yield from reader.each(kinds.POD, place)
        except NotPermitted as error:
            scene.gap(error)


def _server(pod: Document, mode: str, scene: Scene, now: datetime) -> Server | None:
    """The pod as a row; None if it is exempt, or nothing speaks for a model server."""
    recognised = recognise(pod)
    enforced = mode == "enforce"
    if recognised is None and not enforced:
        return None
    namespace, model = pods.namespace(pod), pods.model_name(pod)
    then: Foreseen | None = None
    if scene.knows(namespace) and scene.after is not None and mode != NOT_KNOWN:
        then = preview.foresee(pod, scene.after, now, guarded=enforced)
        if then.judgement.exempt and then.fate is Fate.GOES_ON and recognised is None:
            return None
    found = recognised or _UNRECOGNISED
    target, brief = target_of(pod), scene.briefs.get((namespace, model))
    denials = then.judgement.verdict.denials if then else ()
    return Server(
        namespace=namespace,
        mode=mode,
        workload=f"{target.kind}/{target.name}",
        pods=1,
        server=found.kind,
        confidence=str(found.confidence),
        why=found.why,
        image=found.image or _image(pod),
        model=model,
        serves=found.serves,
        digest=brief.digest if brief else "",
        owner=brief.owner if brief else "",
        verdict=_verdict(mode, then),
        enforce=str(then.fate) if then else "",
        reasons=tuple(dict.fromkeys(f"{d.reason}: {d.message}" for d in denials)),
        risk=_risk(mode, then, found.confidence),
    )


def _image(pod: Document) -> str:
    return next((str(c.get("image") or "") for _, c in pods.users_containers(pod)), "")


def _verdict(mode: str, then: Foreseen | None) -> Verdict:
    if then is None:
        return "not known"
    if mode == "enforce":
        if then.fate in _ESCAPED:
            return "escaped"
        if then.fate is Fate.HELD:
            return "held"
        return "denied" if then.fate is Fate.STOPS_SERVING else "allowed"
    return "reported" if mode else "not judged"


def _risk(mode: str, then: Foreseen | None, confidence: Confidence) -> Risk:
    if then is None:
        return Risk.HIGH
    refused = then.fate.denies
    if mode == "enforce":
        if then.fate in _ESCAPED:
            return Risk.CRITICAL
        return Risk.LOW if refused else Risk.NONE
    if mode:
        return Risk.MEDIUM if refused else Risk.LOW
    return Risk.HIGH if refused and confidence is not Confidence.LOW else Risk.MEDIUM
