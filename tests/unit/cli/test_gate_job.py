"""gate job and gate publish: what is printed holds no more rights than it needs."""

import json
from argparse import Namespace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from quorate.errors import InvalidInput
from quorate.evidence import intoto
from quorate.evidence.signatures import SignerSet
from quorate.keys import load_public_key
from quorate_cli.cluster.kinds import CONFIG_MAP, Kind
from quorate_cli.commands import every, gate_publish
from quorate_cli.evaluation.schedule import cron, parse_duration, rerun_interval
from quorate_cli.parser import build_parser
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.test_gate import report

DIGEST = f"sha256:{'ab' * 32}"
IMAGE = f"registry.example.com/quorate/cli@{DIGEST}"


def line(**change: Any) -> list[str]:
    """A command line that prints a Job; ``change`` replaces or (None) drops an argument."""
    values: dict[str, Any] = {
        "endpoint": "http://demo.team-a.svc.cluster.local/v1",
        "endpoint-port": "8000",
        "endpoint-pods": "app=demo",
        "namespace": "evaluation",
        "model-namespace": "team-a",
        "manifest-digest": DIGEST,
        "image": IMAGE,
        "key-secret": "evaluator",
        "api-server": "192.0.2.10:6443",
    } | {key.replace("_", "-"): value for key, value in change.items()}
    words = [f"--{key}={value}" for key, value in values.items() if value is not None]
    return ["gate", "job", "over-refusal", *words]


def printed(quorate: Quorate, **change: Any) -> dict[str, Any]:
    """The objects by kind and name's last word."""
    ran = quorate(*line(**change))
    assert ran.code == 0, ran.err
    found = list(yaml.safe_load_all(ran.out))
    assert len(found) == 8
    return {
        item["kind"]
        + ("-" + item["metadata"]["name"].rpartition("-")[2])
        * (item["kind"].startswith("Role")): item
        for item in found
    }


def pod_of(objects: dict[str, Any]) -> dict[str, Any]:
    spec = objects["CronJob"]["spec"]["jobTemplate"] if "CronJob" in objects else objects["Job"]
    found: dict[str, Any] = spec["spec"]["template"]["spec"]
    return found


@pytest.mark.requirement("as a Job a suite is a sandbox: no egress but what it needs, non-root")
def test_what_runs_the_suite_holds_neither_key_nor_token(quorate: Quorate) -> None:
    """The container that runs foreign code sees its work directory and nothing secret."""
    pod = pod_of(printed(quorate, runtime_class="gvisor"))
    (evaluate,), (publish,) = pod["initContainers"], pod["containers"]
    assert [mount["name"] for mount in evaluate["volumeMounts"]] == ["work"]
    assert {m["name"] for m in publish["volumeMounts"] if m["readOnly"]} == {"work", "key", "token"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["runtimeClassName"] == "gvisor"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (evaluate, publish):
        assert container["image"] == IMAGE
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_rights_cover_one_config_map(quorate: Quorate) -> None:
    """The Job may patch one ConfigMap, the operator may read it, and nobody may do more."""
    objects = printed(quorate)
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["gate-over-refusal"]}
    assert objects["Role-writer"]["rules"] == [rule | {"verbs": ["patch"]}]
    assert objects["Role-reader"]["rules"] == [rule | {"verbs": ["get"]}]
    assert objects["RoleBinding-writer"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "gate-over-refusal", "namespace": "evaluation"}
    ]
    assert objects["RoleBinding-reader"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "quorate-operator", "namespace": "quorate-system"}
    ]
    assert objects["ConfigMap"]["metadata"]["namespace"] == "team-a"
    assert "data" not in objects["ConfigMap"]  # applied again, it takes nothing away


def test_egress_is_the_endpoint_dns_and_the_api_server(quorate: Quorate) -> None:
    """Nobody reaches the pod; it reaches three places, each on its port."""
    spec = printed(quorate)["NetworkPolicy"]["spec"]
    assert (spec["ingress"], spec["policyTypes"]) == ([], ["Ingress", "Egress"])
    dns, endpoint, server = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert endpoint == {
        "to": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team-a"}},
                "podSelector": {"matchLabels": {"app": "demo"}},
            }
        ],
        "ports": [{"protocol": "TCP", "port": 8000}],
    }
    assert server["to"] == [{"ipBlock": {"cidr": "192.0.2.10/32"}}]
    assert server["ports"] == [{"protocol": "TCP", "port": 6443}]


def test_the_printed_commands_are_commands(quorate: Quorate) -> None:
    """What the containers are told is a command line of this version, with the given bounds."""
    pod = pod_of(printed(quorate, threshold="refusal_rate<=0.01", api_key_secret="endpoint"))
    for container in (*pod["initContainers"], *pod["containers"]):
        parsed: Namespace = build_parser(every(), "quorate").parse_args(container["args"])
        assert parsed.command.words in {("gate", "run"), ("gate", "publish")}
    evaluate = pod["initContainers"][0]
    assert "--threshold=refusal_rate<=0.01" in evaluate["args"]
    assert [mount["name"] for mount in evaluate["volumeMounts"]] == ["work", "api-key"]


@pytest.mark.requirement("a CronJob runs a gate again at 2/3 of its maximum age")
def test_a_maximum_age_makes_a_cron_job(quorate: Quorate) -> None:
    """30 days make a run at least every 20 days, one at a time."""
    spec = printed(quorate, max_age="30d")["CronJob"]["spec"]
    assert spec["schedule"].split()[2:] == ["*/20", "*", "*"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert "evaluation" not in printed(quorate, every="6h")["CronJob"]["spec"]["schedule"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "registry.example.com/quorate/cli:latest"}, "pinned"),
        ({"endpoint": "https://models.example.com/v1"}, "SERVICE.NAMESPACE.svc"),
        ({"endpoint_cidr": "0.0.0.0/0"}, "every address"),
        ({"api_server": "kubernetes.default:443"}, "no address"),
        ({"api_server": "192.0.2.10"}, "IP:PORT"),
        ({"name": "Gate"}, "is no name"),
        ({"namespace": "a\nb"}, "is no name"),
        ({"key_secret": "a/b"}, "is no name"),
        ({"manifest_digest": "abc"}, "manifest-digest"),
        ({"max_age": "30"}, "like 30d"),
        ({"every": "30s"}, "less than a minute"),
        ({"endpoint_pods": "app"}, "LABEL=VALUE"),
        ({"threshold": "x"}, "METRIC"),
        ({"concurrency": "100"}, "1 to 64"),
    ],
)
def test_wrong_usage(quorate: Quorate, change: dict[str, Any], message: str) -> None:
    """What would print a Job that is no sandbox, or none at all, is refused."""
    ran = quorate(*line(**change))
    assert ran.code == 2
    assert message in ran.err


@given(st.integers(60, 366 * 86400))
def test_runs_are_never_further_apart(seconds: int) -> None:
    """However the interval falls, the cron line's longest gap is within it."""
    minute, hour, day, month, weekday = cron(timedelta(seconds=seconds), "team-a/gate").split()
    step = {
        name: int(text[2:])
        for name, text in zip("mhdM", (minute, hour, day, month), strict=True)
        if text.startswith("*/")
    }
    assert weekday == "*"
    assert len(step) == 1
    ((unit, number),) = step.items()
    longest = {"m": 60, "h": 3600, "d": 86400, "M": 31 * 86400}[unit] * number
    assert longest <= seconds or (unit == "M" and number == 12)


@pytest.mark.parametrize(
    ("age", "again"), [("30d", 20 * 86400), ("90m", 3600), ("60s", 40), ("3h", 7200)]
)
def test_two_thirds(age: str, again: int) -> None:
    """A gate is run again at two thirds of its maximum age."""
    assert rerun_interval(parse_duration(age, "--max-age")) == timedelta(seconds=again)


@pytest.mark.parametrize("text", ["", "0d", "1w", "-1d", "1.5h", "400d", "9" * 30 + "d"])
def test_durations_that_are_refused(text: str) -> None:
    """A duration has a unit, is positive and no longer than a year."""
    with pytest.raises(InvalidInput):
        parse_duration(text, "--every")


class Writer:
    """Remembers what was set."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], str] = {}

    def patch(self, kind: Kind, name: str, body: dict[str, Any], *, namespace: str) -> None:
        assert kind is CONFIG_MAP
        ((key, value),) = body["data"].items()
        self.found[namespace, name, key] = value


@pytest.mark.parametrize("result", ["PASSED", "FAILED"])
def test_publish_signs_and_sets_one_key(
    quorate: Quorate, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str
) -> None:
    """The ConfigMap's key gets the signed result, whatever it is, with exit code 0."""
    writer = Writer()
    monkeypatch.setattr(gate_publish, "connect_writer", lambda _arguments: (writer, "team-a"))
    source = tmp_path / "report.json"
    tests = {} if result == "PASSED" else {"passedTests": [], "failedTests": ["x"]}
    source.write_text(json.dumps(report(result=result, details={"endpoint": "x"}, **tests)))
    arguments = ("--manifest-digest", DIGEST, "--key", key, "--config-map")
    ran = quorate("gate", "publish", "--report", source, *arguments, "results/red-team.json")
    assert ran.code == 0, ran.err
    ((place, envelope),) = writer.found.items()
    assert place == ("team-a", "results", "red-team.json")
    public = load_public_key(key.with_suffix(".pub").read_text())
    gate = intoto.verify_gate(envelope.encode(), SignerSet((public,)))
    assert gate.result == result
    assert gate.subjects == {DIGEST}
    assert quorate("gate", "publish", "--report", source, *arguments, "no-key").code == 2
