"""The services of an installation, as their Deployments and StatefulSets report them."""

from typing import Final

import msgspec

from quorate import names
from quorate_cli.cluster.kinds import DEPLOYMENT, STATEFUL_SET, Document, Kind
from quorate_cli.cluster.reader import Reader

DEPLOYED: Final = ("operator", "webhook")


class Component(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One service, or one member. ``present`` is False if nothing runs it."""

    name: str
    present: bool
    kind: str = "deployment"
    """What runs it, as kubectl calls it."""
    ready: int = 0
    wanted: int = 0
    version: str = ""
    image: str = ""
    message: str = ""
    """Why it is not all there, as the conditions say."""

    @property
    def workload(self) -> str:
        """What runs it, as kubectl takes it."""
        return f"{self.kind}/quorate-{self.name}"


def read_components(reader: Reader) -> list[Component]:
    """The services in their order, then the members by name."""
    found = [
        component_of(name, DEPLOYMENT, reader.get(DEPLOYMENT, f"quorate-{name}", names.NAMESPACE))
        for name in DEPLOYED
    ]
    members = {
        label: document
        for document in reader.each(STATEFUL_SET, names.NAMESPACE)
        if (label := (document["metadata"].get("labels") or {}).get(names.MEMBER_LABEL))
    }
    if not members:
        return [*found, component_of("member", STATEFUL_SET, None)]
    return found + [component_of(name, STATEFUL_SET, members[name]) for name in sorted(members)]


def component_of(name: str, kind: Kind, workload: Document | None) -> Component:
    """What a Deployment or StatefulSet says of a service."""
    word = kind.name.lower()
    if workload is None:
        return Component(name=name, present=False, kind=word)
    metadata, spec = workload["metadata"], workload.get("spec") or {}
    status = workload.get("status") or {}
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or [{}]
    wanted = spec.get("replicas", 1)
    seen = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    problems = [
        f"{c.get('reason', '')}: {c.get('message', '')}"
        for c in status.get("conditions") or ()
        if (c.get("type"), c.get("status")) in (("Available", "False"), ("Progressing", "False"))
    ]
    return Component(
        name=name,
        present=True,
        kind=word,
        ready=int(status.get("readyReplicas") or 0) if seen else 0,
        wanted=int(wanted),
        version=str((metadata.get("labels") or {}).get("app.kubernetes.io/version", "")),
        image=str(containers[0].get("image", "")),
        message="; ".join(problems),
    )
