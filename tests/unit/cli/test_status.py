"""``status``: one screen, what needs a person first."""

from datetime import timedelta
from typing import Any

import pytest

from quorate import names
from quorate_cli.cluster import connection
from quorate_cli.cluster.connection import Connection
from quorate_cli.commands.status import result
from quorate_cli.layout import clipped, table, wrapped
from quorate_cli.status.overview import read_overview
from quorate_cli.status.refusals import recent_refusals
from quorate_cli.status.text import render
from tests.fakes import vouching
from tests.fakes.vouching import NOW
from tests.unit.cli.conftest import Quorate
from tests.unit.cli.fake_cluster import NAMESPACE, condition, stamp
from tests.unit.cli.fake_installation import FakeInstallation, deployment

DENIED = (
    'Error creating: admission webhook "validate-pods.quorate.dev" denied the request: '
    "AttestedModelNotFound: no AttestedModel team-a/demo; owner: safety team"
)
FLOOR = (
    "Error creating: pods \"x\" is forbidden: ValidatingAdmissionPolicy 'quorate-floor-required' "
    "with binding 'quorate-floor-required' denied request: SchedulingGateMissing: the pod must"
)


@pytest.fixture
def installed() -> FakeInstallation:
    """An installation in order."""
    return FakeInstallation()


def screen(installed: FakeInstallation, width: int = 100) -> str:
    """What the command prints."""
    overview = read_overview(installed.reader, installed.now)
    return "\n".join(render(overview, width, installed.now))


def event(
    message: str, *, kind: str = "ReplicaSet", name: str = "chat-5d", reason: str = "FailedCreate",
    minutes: int = 5, number: int = 1, **fields: Any
) -> dict[str, Any]:  # fmt: skip
    """An Event in the tenant's namespace."""
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason}.{minutes}", "namespace": NAMESPACE},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "count": number,
        "lastTimestamp": stamp(NOW - timedelta(minutes=minutes)),
        "involvedObject": {"kind": kind, "name": name, "namespace": NAMESPACE},
    } | fields


def incident(name: str, severity: str, **spec: Any) -> dict[str, Any]:
    """A SafetyIncident."""
    return {
        "kind": "SafetyIncident",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "severity": severity,
            "rule": "ForeignListener",
            "summary": "a listener beside the sidecar",
            "subject": {"kind": "Pod", "name": "chat"},
        }
        | spec,
        "status": {"count": 3},
    }


@pytest.mark.requirement("status: one screen")
def test_installation_in_order(installed: FakeInstallation) -> None:
    """Components, namespaces, policies, models and pods each in a line or two."""
    text = screen(installed)
    assert "✓  operator" in text
    assert "enforce: team-a" in text
    assert "1 of 1 ready" in text
    assert "1 serving, 0 gated, 0 starting, 0 without a model" in text
    assert len(text.splitlines()) <= 24


def test_policy_that_does_not_compile_is_named(installed: FakeInstallation) -> None:
    """A policy is counted by what the operator wrote; a broken one is named with its fault."""
    floor = installed.reader.objects["ClusterSafetyPolicy", "", "floor"]
    floor["status"] = {"conditions": [condition("Accepted", "True", "Compiled")]}
    broken = vouching.policy({"owners": None}, name="strict", namespace=NAMESPACE)
    installed.reader.put(broken)
    text = screen(installed)
    assert "1 accepted" in text
    assert "✗ SafetyPolicy/team-a/strict does not compile" in text


def test_models_that_are_not_ready_come_first(installed: FakeInstallation) -> None:
    """A model with a reason stands above those in order, and says how long evidence counts."""
    good = installed.reader.objects["AttestedModel", NAMESPACE, "demo"]
    bad = good | {
        "metadata": good["metadata"] | {"name": "zeta"},
        "status": {"conditions": [condition("Ready", "False", "GateFailed", "red-team failed")]},
    }
    installed.reader.put(bad)
    rows = [line for line in screen(installed).splitlines() if "team-a/" in line]
    assert rows[0].split()[:3] == ["✗", "team-a/zeta", "GateFailed"]
    assert rows[1].split()[:5] == ["✓", "team-a/demo", "Verified", "23", "h"]


def test_pods_are_counted_by_what_they_do(installed: FakeInstallation) -> None:
    """Gated, starting, unprotected and exempt pods are told apart; finished ones are not pods."""
    installed.reader.put(
        installed.pod(name="gated"),
        installed.pod(name="starting", gated=False),
        installed.pod(name="old", injected=False, gated=True),
        installed.pod(name="job", injected=False, labels={}),
        installed.pod(name="done", gated=False) | {"status": {"phase": "Succeeded"}},
    )
    overview = read_overview(installed.reader, NOW)
    assert overview.pods is not None
    counts = overview.pods
    assert (counts.running, counts.gated, counts.starting) == (1, 1, 1)
    assert (counts.exempt, counts.unprotected) == (1, 1)
    assert "1 model pods run without protection" in " ".join(screen(installed).split())


def test_recent_refusals_are_told_by_reason(installed: FakeInstallation) -> None:
    """Webhook, floor and operator speak through Events; what is old or foreign is left out."""
    installed.reader.put(
        event(DENIED, number=4),
        event(DENIED, minutes=20, number=2),
        event(FLOOR, kind="Job", name="batch", minutes=1),
        event("GateMissing: none", kind="Pod", name="chat-5d-x", reason="GateMissing", minutes=3),
        event(DENIED, name="old", minutes=90),
        event("Error creating: quota", name="quota", minutes=2),
        event(DENIED, name="normal", minutes=3, type="Normal"),
    )
    refused = read_overview(installed.reader, NOW).refused
    assert [(r.subject, r.reason, r.count) for r in refused] == [
        ("job/batch", "SchedulingGateMissing", 1),
        ("pod/chat-5d-x", "GateMissing", 1),
        ("replicaset/chat-5d", "AttestedModelNotFound", 6),
    ]
    assert "REFUSED IN THE LAST HOUR" in screen(installed)
    assert "AttestedModelNotFound  6x  no AttestedModel" in screen(installed)


def test_refusal_of_an_unknown_reason_is_still_told() -> None:
    """A denial of ours without a known word counts as denied, not as nothing."""
    text = 'admission webhook "validate-pods.quorate.dev" denied the request: something else'
    (found,) = recent_refusals([event(text)], NOW)
    assert found.reason == "Denied"


def test_open_incidents_by_severity(installed: FakeInstallation) -> None:
    """Unresolved incidents, the worst first; a resolved one is history."""
    resolution = {"outcome": "Fixed", "message": "", "time": stamp(NOW)}
    installed.reader.put(
        incident("a-low", "Low"),
        incident("b-critical", "Critical"),
        incident("c-done", "Critical", resolution=resolution),
    )
    overview = read_overview(installed.reader, NOW)
    assert [i.name for i in overview.incidents] == ["b-critical", "a-low"]
    assert "Critical  team-a/b-critical  ForeignListener  3x" in screen(installed)


def test_unreadable_parts_are_named(installed: FakeInstallation) -> None:
    """What this user may not read leaves a gap and exit code 3; the rest is shown."""
    installed.reader.forbidden = {"Deployment", "SafetyIncident"}
    overview = read_overview(installed.reader, NOW)
    assert len(overview.gaps) == 2
    assert result(overview, 100, NOW).exit_code == 3
    assert "1 of 1 ready" in screen(installed)


def test_mode_that_is_none_is_shown(installed: FakeInstallation) -> None:
    """A misspelt label shows: its namespace is not protected."""
    labels = {names.MODE_LABEL: "enforced"}
    installed.reader.put({"kind": "Namespace", "metadata": {"name": "typo", "labels": labels}})
    assert "typo: 'enforced' is no mode" in screen(installed)


def test_large_clusters_stay_one_screen(installed: FakeInstallation) -> None:
    """A hundred broken models make no hundred lines, and JSON has them all."""
    good = installed.reader.objects["AttestedModel", NAMESPACE, "demo"]
    for index in range(100):
        installed.reader.put(good | {"metadata": good["metadata"] | {"name": f"m{index}"}})
    assert "more (--output json shows all)" in screen(installed)
    assert len(screen(installed).splitlines()) <= 40
    assert len(read_overview(installed.reader, NOW).models) == 101


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_fit_the_terminal(installed: FakeInstallation, width: int) -> None:
    """No line is wider than the terminal, however narrow."""
    installed.reader.put(
        deployment("webhook", 1, 3),
        incident("b-critical", "Critical"),
        event(DENIED),
        event(FLOOR, kind="Job", name="batch"),
    )
    for line in screen(installed, width).splitlines():
        assert len(line) <= width, line


def test_command_prints_json(
    installed: FakeInstallation, quorate: Quorate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--output json`` has stable, camelCase keys."""
    monkeypatch.setattr(connection, "connect", lambda _: Connection(installed.reader, "default"))
    ran = quorate("status", "--output", "json")
    assert ran.code == 0
    assert set(ran.document) == {
        *("serverVersion", "components", "namespaces", "namespacesOfUnknownMode", "policies"),
        *("models", "pods", "refused", "incidents", "gaps"),
    }
    assert "evidenceUntil" in ran.document["models"][0]


def test_long_words_stay_whole() -> None:
    """A digest in prose is not broken: half a digest cannot be copied."""
    digest = f"sha256:{'0' * 64}"
    assert digest in wrapped(f"some words {digest} and more words", 30)


def test_paragraphs_keep_their_indent() -> None:
    """Lines of a message stay lines, all behind the first one's indent."""
    assert wrapped("one\n\ntwo", 20, first="- ", rest="  ") == ["- one", "", "  two"]


def test_clipped_text_fits() -> None:
    """Cut text shows that it was cut, in exactly the width."""
    assert clipped("a  b\nc", 9) == "a b c"
    assert clipped("abcdef", 4) == "abc…"


def test_table_gives_way() -> None:
    """Wide enough: columns. Narrower: the last is cut. Too narrow: blocks, nothing lost."""
    rows = [["one", "a longer last column of words"], ["two", "b"]]
    assert table(rows, 80)[0] == "one  a longer last column of words"
    assert table(rows, 30)[0].endswith("…")
    assert "".join(table(rows, 12)).replace(" ", "") == "onealongerlastcolumnofwordstwob"
