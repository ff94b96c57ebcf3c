"""How a user changes a pod: through its file, its controller, or by making it again."""

import json
from dataclasses import dataclass
from shlex import quote
from typing import Any

from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document

MANIFEST = "MANIFEST.yaml"
"""Stands for the file that the user made the object from."""
_PATCHED = ("deployment", "statefulset", "daemonset", "cronjob")
_RESTARTED = ("deployment", "statefulset", "daemonset")


@dataclass(frozen=True, slots=True)
class Target:
    """What to change: ``kind`` is ``file``, ``pod`` or a workload's kind in lower case.

    ``name`` is the path if it is a file.
    """

    kind: str
    namespace: str
    name: str

    @property
    def ref(self) -> str:
        """As kubectl takes it, quoted, with the namespace."""
        return f"{quote(f'{self.kind}/{self.name}')} -n {quote(self.namespace)}"

    def edit(self) -> tuple[str, ...]:
        """Commands to change the pod by hand."""
        where = f"-n {quote(self.namespace)}"
        if self.kind == "file":
            path = quote(self.name)
            return (f"${{EDITOR:-vi}} {path}", f"kubectl quorate explain -f {path} {where}")
        if self.kind == "job":
            return (f"kubectl delete {self.ref}", f"kubectl apply -f {MANIFEST} {where}")
        if self.kind == "pod":
            return (f"kubectl replace --force -f {MANIFEST} {where}",)
        return (f"kubectl edit {self.ref}",)

    def recreate(self) -> tuple[str, ...]:
        """Commands to have the pod made again as it is written."""
        where = f"-n {quote(self.namespace)}"
        if self.kind == "file":
            return (f"kubectl replace --force -f {quote(self.name)} {where}",)
        if self.kind in _RESTARTED:
            return (f"kubectl rollout restart {self.ref}",)
        if self.kind == "cronjob":
            job = quote(f"{self.name}-again")
            return (f"kubectl create job {job} --from={quote(f'cronjob/{self.name}')} {where}",)
        return self.edit()

    def patch(
        self, metadata: Document | None = None, spec: Document | None = None
    ) -> tuple[str, ...]:
        """A strategic merge patch of the pod template, or else the commands of :meth:`edit`."""
        if self.kind not in _PATCHED:
            return self.edit()
        template: Any = {}
        if metadata:
            template["metadata"] = metadata
        if spec:
            template["spec"] = spec
        path = ("jobTemplate", "spec", "template") if self.kind == "cronjob" else ("template",)
        body: Any = template
        for key in (*reversed(path), "spec"):
            body = {key: body}
        return (f"kubectl patch {self.ref} -p {quote(json.dumps(body, separators=(',', ':')))}",)


def target_of(pod: Document) -> Target:
    """What made an existing pod, as far as its own metadata says."""
    metadata = pod["metadata"]
    namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
    owners = metadata.get("ownerReferences") or ()
    owner = next((o for o in owners if o.get("controller")), None)
    if owner is None:
        return Target("pod", namespace, name)
    kind, name = str(owner.get("kind", "")).lower(), str(owner.get("name", ""))
    template_hash = (metadata.get("labels") or {}).get("pod-template-hash", "")
    if kind == "replicaset" and template_hash and name.endswith(f"-{template_hash}"):
        return Target("deployment", namespace, name.removesuffix(f"-{template_hash}"))
    if kind in {workload.name.lower() for workload in kinds.WORKLOADS}:
        return Target(kind, namespace, name)
    # An operator of somebody's: what it makes its pods from is not known here.
    return Target("pod", namespace, str(metadata.get("name", "")))
