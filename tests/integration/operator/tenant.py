"""A tenant's namespace: its model, its pods, and the platform's policy for it."""

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from quorate import names
from quorate.admission import mutate
from quorate.admission.injection import parse_config
from quorate.admission.store import Store
from quorate.consensus import history as histories
from quorate.genesis import parse_genesis
from quorate.keys import LocalSigner
from tests.fakes import vouching
from tests.integration.operator.installation import Installation, eventually
from tests.unit.admission.pod_builder import API_TOKEN_VOLUME, bare_pod

Document = dict[str, Any]


@dataclass
class Tenant:
    """``floor`` is a ClusterSafetyPolicy that selects this tenant's pods only."""

    installation: Installation
    namespace: str
    owner: LocalSigner = field(default_factory=vouching.signer)
    producer: LocalSigner = field(default_factory=vouching.signer)

    def create(self) -> None:
        """Label the namespace and set its floor."""
        self.installation.kubectl("create", "namespace", self.namespace)
        label = f"{names.MODE_LABEL}=enforce"
        self.installation.kubectl("label", "namespace", self.namespace, label)
        self.set_floor()

    def remove(self) -> None:
        """Take the floor away, and with the label everybody's interest."""
        self.installation.kubectl("delete", "clustersafetypolicy", self.namespace)
        self.installation.kubectl("label", "namespace", self.namespace, f"{names.MODE_LABEL}-")
        arguments = ("-n", self.namespace, "delete", "attestedmodel,pod", "--all", "--now")
        self.installation.kubectl(*arguments)

    def set_floor(self, *signers: LocalSigner) -> None:
        """Have the floor ask for these signatures; the owner's by default."""
        spec = {
            "model": {
                "signers": vouching.signers(*(signers or (self.owner,))),
                "gates": [vouching.gate(self.producer)],
                "servers": [{"name": "server", "digest": vouching.SERVER_DIGEST}],
                "volumes": [{"name": "tmp", "kind": "emptyDir"}],
            },
            "runtime": {"upstream": {"port": 8000, "probePaths": ["/health"]}},
        }
        selector = {"matchLabels": {names.MODEL_LABEL: self.model}}
        document = vouching.policy(spec, name=self.namespace, selector=selector)
        document["metadata"] = {"name": self.namespace}
        self.installation.apply(document)

    @property
    def model(self) -> str:
        """The model's name: of this tenant alone, so that floors do not meet."""
        return f"{self.namespace}-demo"

    def put_model(self, *, gated: bool = True, version: str = "1") -> None:
        """Put the signed model, with or without its gate's result."""
        files = vouching.model_files()
        finished = datetime.now(UTC) - timedelta(minutes=1)
        gates = (vouching.gate_result(files, self.producer, finished_at=finished),)
        document = vouching.attested_model(
            files,
            bundles=(vouching.bundle(files, self.owner),),
            gates=gates if gated else (),
            name=self.model,
            namespace=self.namespace,
        )
        document["metadata"] = {"name": self.model, "namespace": self.namespace}
        document["spec"]["version"] = version
        self.installation.apply(document)

    def put_pod(self, name: str = "chat") -> None:
        """Create a gated pod as it comes out of admission."""
        pod = bare_pod()
        pod["apiVersion"], pod["kind"] = "v1", "Pod"
        labels = {names.MODEL_LABEL: self.model}
        pod["metadata"] = {"name": name, "namespace": self.namespace, "labels": labels}
        # No controller makes accounts here, so admission would not add this one either.
        spec = pod["spec"]
        spec["volumes"] = [v for v in spec["volumes"] if v != API_TOKEN_VOLUME]
        mounts = spec["containers"][0]["volumeMounts"]
        mounts[:] = [m for m in mounts if m["name"] != API_TOKEN_VOLUME["name"]]
        spec["automountServiceAccountToken"] = False
        pod = copy.deepcopy(mutate.apply(pod, mutate.patch(pod, "model", self._injection())))
        self.installation.kubectl("create", "-f", "-", stdin=pod)

    def _injection(self) -> Any:
        folder = self.installation.folder
        genesis = parse_genesis((folder / "genesis" / "genesis.json").read_bytes())
        document = json.loads((folder / "injection" / "injection.json").read_text())
        config = parse_config({**document, "genesisDigest": genesis.digest_text})
        return Store(config, histories.begin(genesis)).snapshot().injection

    # What is seen -----------------------------------------------------------------------------
    def conditions(self) -> dict[str, tuple[str, str]]:
        """Status and reason of the model's conditions."""
        model = self.installation.get("attestedmodel", self.model, self.namespace)
        found = (model.get("status") or {}).get("conditions") or ()
        return {c["type"]: (c["status"], c["reason"]) for c in found}

    def certificates(self) -> list[Document]:
        """The model's certificates."""
        model = self.installation.get("attestedmodel", self.model, self.namespace)
        return list((model.get("status") or {}).get("certificates") or ())

    def await_condition(self, kind: str, status: str, reason: str, seconds: float = 30.0) -> float:
        """Wait for a condition; returns how long it took."""
        return eventually(
            lambda: self.conditions().get(kind) == (status, reason),
            f"{self.model}: {kind}={status} ({reason})",
            seconds,
        )

    def gates(self, name: str = "chat") -> list[str]:
        """The pod's scheduling gates."""
        pod = self.installation.get("pod", name, self.namespace)
        return [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]

    def events(self) -> set[str]:
        """Reasons of the Events in the namespace."""
        text = self.installation.kubectl(
            "-n", self.namespace, "get", "events.events.k8s.io", "-o", "json"
        )
        return {item["reason"] for item in json.loads(text)["items"]}
