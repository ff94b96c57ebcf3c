"""The services of an installation, as their Deployments report them."""

from typing import Final

import msgspec

from quorate import names
from quorate_cli.cluster.kinds import DEPLOYMENT, Document
from quorate_cli.cluster.reader import Reader

COMPONENTS: Final = ("operator", "webhook", "member")


class Component(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One service. ``present`` is False if there is no Deployment of it."""

    name: str
    present: bool
    ready: int = 0
    wanted: int = 0
    version: str = ""
    image: str = ""
    message: str = ""
    """Why it is not all there, as the Deployment's conditions say."""

    @property
    def deployment(self) -> str:
        """The Deployment's name."""
        return f"quorate-{self.name}"


def read_components(reader: Reader) -> list[Component]:
    """The three services, in their order."""
    return [
        component_of(name, reader.get(DEPLOYMENT, f"quorate-{name}", names.NAMESPACE))
        for name in COMPONENTS
    ]


def component_of(name: str, deployment: Document | None) -> Component:
    """What a Deployment says of a service."""
    if deployment is None:
        return Component(name=name, present=False)
    metadata, spec = deployment["metadata"], deployment.get("spec") or {}
    status = deployment.get("status") or {}
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
        ready=int(status.get("readyReplicas") or 0) if seen else 0,
        wanted=int(wanted),
        version=str((metadata.get("labels") or {}).get("app.kubernetes.io/version", "")),
        image=str(containers[0].get("image", "")),
        message="; ".join(problems),
    )
