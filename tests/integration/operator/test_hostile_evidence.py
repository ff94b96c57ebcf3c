"""Two gigabytes of hostile evidence, offered to the running operator, change nothing.

Every kind of hostile registry, ConfigMap and model at once, beside one honest model with its own
registry. Where time is short a fixed sample of the sources is used; a line of the output says
which, and how much was sent.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from quorate import limits, names
from quorate_operator.sources.reading import READER_ROLE
from tests.fakes import vouching
from tests.integration.operator import hostile_registry as hostile
from tests.integration.operator.hostile_registry import HostileRegistry
from tests.integration.operator.installation import Installation, Part, chart_documents, eventually
from tests.integration.operator.tenant import Tenant
from tests.integration.operator.test_sources import by_referrers, publish, put_model
from tests.integration.registry.real_registry import RealRegistry

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

FULL = os.environ.get("QUORATE_TEST_FULL") == "1"
MODELS = 8 if FULL else 1
"""Models for each hostile registry."""
INLINE = 60 if FULL else 30
"""Models that hold 1.2 MiB each: in either case more than one namespace may have kept."""
SENT_BYTES = 2 * 1024 * limits.MIB if FULL else 256 * limits.MIB
SELECTED = 64
"""Values that one selector may have."""
START_SECONDS = 90.0
CERTIFIED_SECONDS = 60.0
CONDITIONS = {"Signed", "GatesPassed", "Certified", "Ready"}
AWAY = "RegistryUnavailable"
WORK: dict[str, tuple[hostile.Lie, int, set[str]]] = {
    # name: what it does, sources of each kind a model, why it is not read
    "endless-body": (hostile.endless_body, 8, {"TooLarge"}),
    "vast-body": (hostile.vast_body, 8, {"TooLarge"}),
    "endless-headers": (hostile.endless_headers, 2, {AWAY}),
    "slow-drip": (hostile.slow_drip, 4, {AWAY}),
    "wrong-digests": (hostile.wrong_digests, 8, {"DigestMismatch"}),
    "referrers": (hostile.thousands_of_referrers, 2, {"TooManyDocuments"}),
    "pages": (hostile.endless_pages, 4, {"TooManyDocuments"}),
    "deep-json": (hostile.deep_json, 4, {"MalformedAnswer"}),
    "wide-json": (hostile.wide_json, 2, {"TooManyDocuments"}),
    "bomb": (hostile.compressed_bomb, 4, {"MalformedAnswer"}),
    "redirects": (hostile.redirects, 2, {"AddressNotAllowed"}),
    "padded": (hostile.Padded(), 8, {"Fetched", "TooManyDocuments"}),
}


def container() -> dict[str, Any]:
    """The operator's container as the chart has it."""
    (found,) = chart_documents("operator/deployment")
    (only,) = found["spec"]["template"]["spec"]["containers"]
    return dict(only)


def memory_limit() -> int:
    """Bytes that the chart gives the operator."""
    text = container()["resources"]["limits"]["memory"]
    assert text.endswith("Mi")
    return int(text.removesuffix("Mi")) * limits.MIB


def memory_settings() -> dict[str, str]:
    """What the chart tells the C library."""
    found = {entry["name"]: entry.get("value", "") for entry in container()["env"]}
    return {name: value for name, value in found.items() if name.startswith("MALLOC_")}


def peak_memory(part: Part) -> int:
    """The most that the process ever had resident, in bytes."""
    status = Path(f"/proc/{part.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * limits.KIB


@dataclass
class Attack:
    """A namespace full of hostile models, each under a policy that asks for a signature."""

    installation: Installation
    namespace: str
    expected: dict[str, set[str]] = field(default_factory=dict)
    """By model: reasons that its sources may have; none if it names no sources."""

    def put(self, models: dict[str, dict[str, Any]]) -> None:
        """Hostile models by name: what their specs have beside what every model has."""
        documents = []
        for name, spec in models.items():
            document = vouching.attested_model(vouching.model_files(), name=name)
            document["metadata"] = {"name": name, "namespace": self.namespace}
            document["spec"] |= spec
            documents.append(document)
        everything = {"apiVersion": "v1", "kind": "List", "items": documents}
        self.installation.kubectl("create", "-f", "-", stdin=everything)

    def prepare(self) -> None:
        """The namespace, and a floor that selects whatever is in it."""
        self.installation.kubectl("create", "namespace", self.namespace)
        self.installation.kubectl(
            "label", "namespace", self.namespace, f"{names.MODE_LABEL}=enforce"
        )
        self.installation.kubectl(
            *("-n", self.namespace, "create", "rolebinding", "evidence"),
            f"--clusterrole={READER_ROLE}",
            f"--serviceaccount={names.NAMESPACE}:{names.OPERATOR_ACCOUNT}",
        )
        asks = {"signers": vouching.signers(vouching.signer())}
        model = asks | {"gates": [vouching.gate(vouching.signer())]}
        for name, selector in self.floors().items():
            document = vouching.policy({"model": model}, name=name, selector=selector)
            document["metadata"] = {"name": name}
            self.installation.apply(document)

    def floors(self) -> dict[str, dict[str, Any]]:
        """Policies by name, with selectors of every model that this attack may put."""
        values = [name for name, _, _, _ in self.referring()]
        values += ["maps", *(f"inline-{n}" for n in range(INLINE))]
        found = {}
        for begin in range(0, len(values), SELECTED):
            chosen = values[begin : begin + SELECTED]
            expression = {"key": names.MODEL_LABEL, "operator": "In", "values": chosen}
            found[f"{self.namespace}-{begin}"] = {"matchExpressions": [expression]}
        return found

    @staticmethod
    def referring() -> Iterator[tuple[str, str, int, set[str]]]:
        """Models that name hostile registries: name, registry, sources of each kind, reasons."""
        for kind, (_, count, reasons) in WORK.items():
            for number in range(MODELS):
                yield f"{kind}-{number}", kind, count, reasons

    def put_referring(self, registries: dict[str, HostileRegistry]) -> None:
        """All models whose documents are in hostile registries."""
        models: dict[str, dict[str, Any]] = {}
        for name, kind, count, reasons in self.referring():
            self.expected[name] = reasons
            models[name] = {}
            for listed in ("signaturesFrom", "evidenceFrom"):
                places = (f"{name}/{listed}/{n}" for n in range(count))
                models[name][listed] = [
                    {"name": f"s{n}", "ociReferrers": {"reference": registries[kind].at(place)}}
                    for n, place in enumerate(places)
                ]
        self.put(models)

    def put_maps(self) -> None:
        """ConfigMaps as large as they may be: one that takes long to parse, one that is no JSON."""
        wide = '{"x":[' + "{}," * 320_000 + "{}]}"
        for name, text in (("wide", wide), ("junk", "[" * 1_000_000)):
            metadata = {"name": name, "namespace": self.namespace}
            document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            document |= {"data": {"k": text}}
            self.installation.kubectl("create", "-f", "-", stdin=document)
        sources = [
            {"name": f"s{n}", "configMap": {"name": ("wide", "junk")[n % 2], "key": "k"}}
            for n in range(8)
        ]
        self.expected["maps"] = {"Fetched", "NothingFound", "TooManyDocuments"}
        self.put({"maps": {"signaturesFrom": sources, "evidenceFrom": sources}})

    def put_inline(self) -> None:
        """Models that hold as much as etcd takes."""
        text = json.dumps({"junk": "x" * 600 * limits.KIB})
        evidence = [{"name": f"e{n}", "envelope": text} for n in range(2)]
        self.expected |= {f"inline-{number}": set() for number in range(INLINE)}
        for number in range(0, INLINE, 10):
            self.put({f"inline-{n}": {"evidence": evidence} for n in range(number, number + 10)})

    def models(self) -> dict[str, dict[str, Any]]:
        """The status of every hostile model."""
        arguments = ("-n", self.namespace, "get", "attestedmodels", "-o")
        path = "jsonpath={range .items[*]}{.metadata.name}={.status}{'\\n'}{end}"
        lines = self.installation.kubectl(*arguments, path).splitlines()
        found = (line.partition("=") for line in lines)
        statuses = {name: json.loads(status) if status else {} for name, _, status in found}
        assert statuses.keys() == self.expected.keys()
        return statuses

    def judged(self) -> bool:
        """Whether every model has its conditions, and its sources the reasons that they must have.

        Fails at once if any condition holds.
        """
        complete = True
        for name, status in self.models().items():
            conditions = {c["type"]: c for c in status.get("conditions", [])}
            for kind in CONDITIONS & set(conditions):
                assert conditions[kind]["status"] != "True", (name, conditions[kind])
            read = [source["reason"] for source in status.get("sources", [])]
            complete &= set(conditions) >= CONDITIONS
            complete &= bool(read) == bool(self.expected[name])
            complete &= set(read) <= self.expected[name] | {AWAY}
            complete &= not self.expected[name] or bool(self.expected[name] & set(read))
        return complete

    def unexplained(self) -> list[str]:
        """What is not said so that a person could act on it."""
        found = []
        for name, status in self.models().items():
            (ready,) = (c for c in status["conditions"] if c["type"] == "Ready")
            if ready["status"] != "False" or len(ready["message"]) < 20:
                found.append(f"{name}: {ready}")
            found += [
                f"{name}: {source}"
                for source in status.get("sources", [])
                if source["status"] != "True" and len(source["message"]) < 20
            ]
        return found

    def remove(self) -> None:
        """Take everything away."""
        self.installation.kubectl("delete", "clustersafetypolicy", *self.floors())
        kinds = "attestedmodel,configmap"
        self.installation.kubectl("-n", self.namespace, "delete", kinds, "--all", "--wait=false")
        self.installation.kubectl("label", "namespace", self.namespace, f"{names.MODE_LABEL}-")


@pytest.fixture
def registries() -> Iterator[dict[str, HostileRegistry]]:
    """All hostile registries, serving."""
    found = {name: HostileRegistry(name, work[0]) for name, work in WORK.items()}
    with hostile.serving(list(found.values())):
        yield found


@pytest.fixture
def attack(installed: Installation) -> Iterator[Attack]:
    """A namespace of hostile models, empty yet."""
    found = Attack(installed, "op-hostile")
    found.prepare()
    yield found
    found.remove()


def issued(tenant: Tenant) -> set[str]:
    """The honest model's certificates."""
    return {certificate["envelope"] for certificate in tenant.certificates()}


@pytest.mark.requirement("2 GB of hostile evidence changes nothing")
@pytest.mark.requirement("all caches bounded")
@pytest.mark.requirement(
    "fault: registry down, slow, lying: converges, nothing admitted in between"
)
def test_hostile_evidence_changes_nothing(
    installed: Installation,
    member: Part,
    registries: dict[str, HostileRegistry],
    attack: Attack,
    tenant: Tenant,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The operator stays within the chart's memory; an honest model is certified within a minute
    and again while it lasts; nothing hostile holds; every refusal says why."""
    honest = RealRegistry(tmp_path)
    hosts = [honest.host, *(registry.host for registry in registries.values())]
    listed = {"registries": hosts, "plainHTTP": hosts, "refreshSeconds": 5}
    installed.write("evidence/registries.json", json.dumps(listed).encode())
    attack.put_referring(registries)
    attack.put_maps()
    attack.put_inline()
    most = memory_limit()
    begun = time.monotonic()
    with honest.running(), installed.operator(wait=False, **memory_settings()) as operator:
        eventually(operator.ready, "the operator is ready", START_SECONDS)
        started = peak_memory(operator)
        put_model(tenant, **by_referrers(publish(honest, tenant)))
        took = tenant.await_condition("Ready", "True", "Verified", CERTIFIED_SECONDS)
        first = issued(tenant)

        def summary() -> str:
            return told(registries, took, time.monotonic() - begun, started, operator, member)

        def over() -> bool:
            time.sleep(1.0)
            assert tenant.conditions()["Ready"] == ("True", "Verified")
            assert operator.ready()
            assert peak_memory(operator) < most, summary()
            sent = sum(registry.sent for registry in registries.values())
            return sent >= SENT_BYTES and issued(tenant) != first and attack.judged()

        eventually(over, "all was sent and judged, and the honest one certified anew", 600.0)
        assert attack.unexplained() == []
        with capsys.disabled():
            request.config.get_terminal_writer().line(f"\n{summary()}")
    installed.write("evidence/registries.json", b"{}")


def told(
    registries: dict[str, HostileRegistry],
    took: float,
    seconds: float,
    started: int,
    operator: Part,
    member: Part,
) -> str:
    """What was done: with a sample, which."""
    sent = sum(registry.sent for registry in registries.values())
    return (
        f"hostile evidence {'in full' if FULL else 'sampled'}: {len(registries)} registries x "
        f"{MODELS} models, {INLINE} models of 1.2 MiB; {sent // limits.MIB} MiB sent in "
        f"{seconds:.0f} s; the honest model certified after {took:.1f} s; peak memory of the "
        f"operator {peak_memory(operator) // limits.MIB} MiB ({started // limits.MIB} at its "
        f"start), of the member {peak_memory(member) // limits.MIB}"
    )
