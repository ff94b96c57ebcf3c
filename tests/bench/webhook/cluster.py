"""A synthetic cluster: certified models and waiting pods, and an API server that lists them.

The certificates are really signed; the pods are injected by the product itself.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from quorate import names
from quorate.policy.compiled import CompiledPolicy
from tests.fakes.vouching import attested_model, bundle, gate_result, policy, signer, signers
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import FILES, FLOOR, OWNER, World

Document = dict[str, Any]
MODELS_A_NAMESPACE = 20
LAB = signer()


def _managed_fields(fields: int) -> list[Document]:
    owned: Document = {f'k:{{"name":"field-{i}"}}': {".": {}, "f:name": {}} for i in range(fields)}
    entry = {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1"}
    return [entry | {"fieldsType": "FieldsV1", "fieldsV1": {"f:spec": owned}}]


@dataclass
class Cluster:
    """Objects by the path the API server lists them under."""

    models: int
    pods: int
    world: World = field(default_factory=lambda: World(now=datetime.now(UTC)))

    def __post_init__(self) -> None:
        tenant = {"model": {"signers": signers(OWNER)}}
        self._floor = policy(FLOOR)
        self._tenants = {
            name: policy(tenant, name="own", namespace=name) for name in self.namespaces()
        }
        self._policies = {
            name: [self.world.put_policy(self._floor), self.world.put_policy(document)]
            for name, document in self._tenants.items()
        }
        self._bundle = bundle(FILES, OWNER)
        self._gate = gate_result(FILES, LAB)
        self._template = PodBuilder(self._good_world().snapshot).build()

    def namespaces(self) -> list[str]:
        """Every tenant's namespace."""
        return [f"team-{i}" for i in range(max(1, self.models // MODELS_A_NAMESPACE))]

    def objects(self, path: str) -> Iterator[Document]:
        """The objects that the API server has under a path."""
        kind = path.rsplit("/", 1)[-1]
        if kind == "clustersafetypolicies":
            yield self._floor
        elif kind == "safetypolicies":
            yield from self._tenants.values()
        elif kind == "attestedmodels":
            yield from (self.model(i) for i in range(self.models))
        elif kind == "pods":
            yield from (self.pod(i) for i in range(self.pods))

    def model(self, index: int) -> Document:
        """A model with two certificates, a bundle and a gate."""
        namespace, name = self._place(index % self.models)
        document = attested_model(
            FILES, bundles=(self._bundle,), gates=(self._gate,), name=name, namespace=namespace
        )
        document["metadata"] |= {"resourceVersion": "1", "managedFields": _managed_fields(20)}
        policies = self._policies[namespace]
        document["status"] = {
            "observedGeneration": 1,
            "policies": [self.world.report(p) for p in policies],
            "certificates": [self._certificate(p, namespace, name) for p in policies],
        }
        return document

    def pod(self, index: int) -> Document:
        """An injected pod as the API server shows it."""
        namespace, model = self._place(index % self.models)
        pod = copy.deepcopy(self._template)
        name = f"{model}-6f7d9c5b8-{index:05d}"
        pod["metadata"] |= {
            "name": name,
            "namespace": namespace,
            "uid": f"00000000-0000-4000-8000-{index:012d}",
            "resourceVersion": "1",
            "generateName": f"{model}-6f7d9c5b8-",
            "labels": {"app": model, "pod-template-hash": "6f7d9c5b8", names.MODEL_LABEL: model},
            "managedFields": _managed_fields(30),
        }
        return pod | {
            "apiVersion": "v1",
            "kind": "Pod",
            "status": {"phase": "Pending", "qosClass": "Burstable"},
        }

    def _place(self, index: int) -> tuple[str, str]:
        return f"team-{index // MODELS_A_NAMESPACE}", f"model-{index:04d}"

    def _certificate(self, compiled: CompiledPolicy, namespace: str, name: str) -> Document:
        return self.world.certificate(compiled, namespace=namespace, model=name)

    def _good_world(self) -> World:
        good = World(committee=self.world.committee, now=self.world.now)
        good.put_policy(self._floor)
        good.put_model()
        return good


def api_server(cluster: Cluster) -> web.Application:
    """Lists in pages; watches that say nothing."""
    listed: dict[str, list[bytes]] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.query.get("watch"):
            response = web.StreamResponse()
            await response.prepare(request)
            await request.loop.create_future()
        path = request.path
        if path not in listed:
            listed[path] = [json.dumps(d).encode() for d in cluster.objects(path)]
        start = int(request.query.get("continue") or 0)
        end = start + int(request.query["limit"])
        more = str(end) if end < len(listed[path]) else ""
        head = json.dumps({"resourceVersion": "1", "continue": more}).encode()
        items = b",".join(listed[path][start:end])
        body = b'{"kind":"List","metadata":%b,"items":[%b]}' % (head, items)
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app
