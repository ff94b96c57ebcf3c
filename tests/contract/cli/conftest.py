"""A real API server with an installation in it, and the command line talking to it."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from quorate import names
from quorate_cli.cluster import kinds
from tests.contract.operator.control_plane import ControlPlane, running
from tests.unit.cli.fake_installation import FakeInstallation

Document = dict[str, Any]
_API_VERSIONS = {
    kind.name: kind.api_version for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)
}
_ORDER = {
    "Pod": 0,
    "ValidatingAdmissionPolicy": 2,
    "ValidatingAdmissionPolicyBinding": 3,
    "MutatingWebhookConfiguration": 4,
    "ValidatingWebhookConfiguration": 4,
}
"""The pod stands for one that was released; after floor and webhooks it could not be made."""
_SKIPPED = ("CustomResourceDefinition",)
"""Installed by the control plane itself."""


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Installed:
    """The API server, and the documents that were put there."""

    plane: ControlPlane
    made: FakeInstallation = field(default_factory=lambda: FakeInstallation(now=datetime.now(UTC)))

    def quorate(self, *arguments: str, kubeconfig: Path | None = None) -> Ran:
        """Run the command line as its own process."""
        done = subprocess.run(
            [sys.executable, "-m", "quorate_cli", *arguments],
            env=os.environ | {"KUBECONFIG": str(kubeconfig or self.plane.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def install(self) -> None:
        """Put every document into the API server, status included, webhooks last."""
        self._namespaces()
        documents = [complete(d) for d in self.made.reader.objects.values()]
        documents = [d for d in documents if d["kind"] not in (*_SKIPPED, "Namespace")]
        documents.sort(key=lambda d: _ORDER.get(d["kind"], 1))
        for step in sorted(set(_ORDER.values()) | {1}):
            chosen = [d for d in documents if _ORDER.get(d["kind"], 1) == step]
            self.apply(*(without_status(d) for d in chosen))
        for document in documents:
            if document.get("status") and document["kind"] != "ClusterSafetyPolicy":
                self.apply(document, subresource="status")

    def _namespaces(self) -> None:
        enforced = {"name": "team-a", "labels": {names.MODE_LABEL: "enforce"}}
        self.apply(
            *(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
                for metadata in (enforced, {"name": names.NAMESPACE}, {"name": "elsewhere"})
            )
        )

    def apply(self, *documents: Document, subresource: str = "") -> None:
        """Server-side apply, to the status too."""
        listing = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        sub = (f"--subresource={subresource}",) if subresource else ()
        self.plane.kubectl(
            *("apply", "--server-side", "--force-conflicts", "-f", "-", *sub),
            stdin=json.dumps(listing),
        )

    def kubeconfig_of(self, account: str, folder: Path) -> Path:
        """A kubeconfig with a service account's token."""
        token = self.plane.kubectl("create", "token", account, "-n", "elsewhere").strip()
        document = yaml.safe_load(self.plane.kubeconfig.read_text("utf-8"))
        document["users"][0]["user"] = {"token": token}
        path = folder / account
        path.write_text(yaml.safe_dump(document))
        return path


def without_status(document: Document) -> Document:
    """The object as somebody applies it."""
    return {key: value for key, value in document.items() if key != "status"}


def complete(document: Document) -> Document:
    """With what the API server insists on and the readers do not look at."""
    made = copy.deepcopy(document)
    made["apiVersion"] = _API_VERSIONS[made["kind"]]
    metadata = made["metadata"]
    for read_only in ("uid", "generation"):
        metadata.pop(read_only, None)
    if made["kind"] in ("Deployment", "StatefulSet"):
        labels = {"app": metadata["name"]}
        template = made["spec"]["template"]
        template["metadata"] = {"labels": labels}
        template["spec"]["containers"][0]["name"] = "main"
        made["spec"]["selector"] = {"matchLabels": labels}
    if made["kind"] == "Pod":
        made["spec"]["serviceAccountName"] = "default"
    if made["kind"] == "Secret":
        made |= {"type": "kubernetes.io/tls", "data": made["data"] | {"tls.key": "c2VjcmV0"}}
    return made


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """One installation for all tests; they change nothing that others look at."""
    with running(tmp_path_factory.mktemp("plane")) as plane:
        made = Installed(plane)
        made.install()
        yield made
