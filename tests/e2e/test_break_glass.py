"""Break-glass by the very commands of its how-to: documented, audited, and it ends by itself."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import Done, quorate, run
from tests.e2e.tenant import Tenant, condition, eventually
from tests.e2e.test_escapes import found, running
from tools.demo.cluster import ROOT

Document = dict[str, Any]
HOWTO = ROOT / "docs" / "howto" / "break-glass.md"
SECONDS = 40
SYSTEM = ("-n", "quorate-system")


def commands(section: str, tenant: Tenant) -> str:
    """The commands of a section of the how-to, for this namespace and a shorter time."""
    text = HOWTO.read_text("utf-8")
    written = re.search(rf"^## {section}\n.*?^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert written is not None, section
    short = written[1].replace("+4 hours", f"+{SECONDS} seconds")
    return short.replace("NAMESPACE", tenant.namespace)


def typed(tenant: Tenant, script: str) -> Done:
    """What comes of typing the commands into a shell, each whatever came of the one before."""
    folders = (Path(tenant.cluster.kubectl_path).parent, Path(sys.executable).parent)
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    return run(tenant.cluster, "bash", "-uo", "pipefail", "-c", script, PATH=path)


def incident(tenant: Tenant) -> Document | None:
    """The incident about the namespace."""
    items: list[Document] = tenant.cluster.get("safetyincidents", *SYSTEM)["items"]
    ours = (i for i in items if i["spec"]["subject"]["name"] == tenant.namespace)
    return next((i for i in ours if i["spec"]["rule"] == "EnforcementSuspended"), None)


def mode(tenant: Tenant) -> str:
    """The namespace's mode now."""
    labels: dict[str, str] = tenant.cluster.get("ns", tenant.namespace)["metadata"]["labels"]
    return labels["quorate.dev/mode"]


def refused_deployment(tenant: Tenant) -> None:
    """A workload whose pods are refused, because its model lacks a gate."""
    tenant.cluster.apply(tenant.attested("late", gates=()))
    eventually(
        lambda: condition(tenant.get("attestedmodel", "late"), "Ready") == "False", "no gate"
    )
    deployment = tenant.workload("Deployment", "late", replicas=1)
    deployment["spec"]["template"]["metadata"]["labels"]["quorate.dev/model"] = "late"
    tenant.cluster.apply(deployment)
    assert "GateMissing" in tenant.refused(tenant.pod("alone", model="late"))


@pytest.mark.requirement("break-glass: documented, tested, audited, self-expiring")
def test_broken_glass_lets_in_is_told_and_ends(tenant: Tenant) -> None:
    """What is refused runs while the glass is broken; who, why and until when stand in an incident,
    in preview and in inventory. At the end the same rule refuses again, without anybody's doing,
    and what was made meanwhile is an escape."""
    refused_deployment(tenant)
    done = typed(tenant, "set -e\n" + commands("Do it", tenant))
    assert done.code == 0, done
    user = tenant.cluster.get("ns", tenant.namespace)["metadata"]["annotations"]
    who, until = user["quorate.dev/suspended-by"], user["quorate.dev/enforce-again-at"]
    assert who == tenant.cluster.kubectl(
        "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"
    )
    opened = eventually(lambda: incident(tenant), "the incident", seconds=20)
    assert opened["spec"]["severity"] == "Critical"
    for part in (who, until, "member lost; ticket 42"):
        assert part in opened["spec"]["summary"]
    made = eventually(lambda: running(tenant, "late"), "the refused workload's pod runs")
    assert "initContainers" not in made["spec"]

    told = typed(tenant, commands("Afterwards", tenant))
    assert f"until {until}, by {who}: member lost; ticket 42" in " ".join(told.output.split())
    assert "Refused" in told.output
    listed = quorate(tenant.cluster, "inventory", "-n", tenant.namespace).document
    assert [one["until"] for one in listed["suspended"]] == [until]

    eventually(lambda: mode(tenant) == "enforce", "it enforces again", seconds=SECONDS + 20)
    assert "GateMissing" in tenant.refused(tenant.pod("alone", model="late"))
    uid = made["metadata"]["uid"]
    eventually(lambda: found(tenant, uid), "what was made meanwhile is found", seconds=30)
