"""``inventory``: every model server, with what enforcing would do; nothing is left out silently."""

import copy
import csv
import io
from html.parser import HTMLParser
from typing import Any

import pytest

from quorate_cli import exit_codes
from quorate_cli.cluster.kinds import Kind
from quorate_cli.cluster.reader import NotPermitted
from quorate_cli.commands.inventory import result
from quorate_cli.inventory.gathering import take_inventory
from quorate_cli.inventory.outcome import Inventory, Server
from quorate_cli.inventory.page import page
from quorate_cli.inventory.text import COLUMNS, as_csv
from quorate_cli.progress import Progress
from tests.unit.cli.fake_cluster import NAMESPACE, FakeCluster, FakeReader, bare_pod
from tests.unit.cli.test_preview import broken_glass, put_namespace, running

Document = dict[str, Any]


def inventory(cluster: FakeCluster, only: str | None = None) -> Inventory:
    """What the command finds."""
    return take_inventory(cluster.reader, only, NAMESPACE, cluster.now, Progress(quiet=True))


def stray(name: str = "stray", namespace: str = "team-b", **container: Any) -> Document:
    """A model server that nobody declared."""
    made = {"name": "main", "image": "docker.io/vllm/vllm-openai:latest"} | container
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {}},
        "spec": {"containers": [made]},
        "status": {"phase": "Running"},
    }


def by_name(found: Inventory) -> dict[str, Server]:
    """Rows by workload."""
    return {server.workload: server for server in found.servers}


@pytest.fixture
def whole(cluster: FakeCluster) -> FakeCluster:
    """One protected pod, one stray server in a namespace that has not opted in, one web server."""
    put_namespace(cluster, "", "team-b")
    cluster.reader.put(
        running(cluster.pod(gated=False), owned=False),
        stray(args=["--model", "org/name"]),
        stray("web", image="nginx:1"),
    )
    return cluster


@pytest.mark.requirement("inventory: every model server, opted in or not")
def test_both_are_listed_the_riskiest_first(whole: FakeCluster) -> None:
    """Owner, model, digest, mode, verdict and what enforce would do; the web server is not one."""
    found = inventory(whole)
    assert [s.workload for s in found.servers] == ["pod/stray", "pod/chat"]
    out, protected = found.servers
    assert (out.mode, out.server, out.confidence, out.serves) == ("", "vllm", "high", "org/name")
    assert (out.verdict, out.enforce, out.risk) == ("not judged", "Refused", "high")
    assert out.reasons[0].startswith("NoModelLabel")
    assert "image docker.io/vllm/vllm-openai:latest" in out.why
    assert (protected.mode, protected.verdict, protected.enforce, protected.risk) == (
        *("enforce", "allowed", "GoesOn"),
        "none",
    )
    assert protected.owner == "model team <model@example.com>"
    assert protected.digest.startswith("sha256:")
    assert (found.pods_read, found.namespaces) == (3, 2)
    assert result(found, 120).exit_code == exit_codes.OK


def test_pods_of_one_workload_are_one_row(whole: FakeCluster) -> None:
    """Ten replicas are counted, not listed."""
    for number in range(10):
        pod = stray(f"chat-{number}")
        pod["metadata"]["ownerReferences"] = [
            {"kind": "StatefulSet", "name": "chat", "controller": True}
        ]
        whole.reader.put(pod)
    assert by_name(inventory(whole))["statefulset/chat"].pods == 10


def test_what_enforcing_missed_is_critical(whole: FakeCluster) -> None:
    """A pod that runs in an enforced namespace without having been admitted stands first."""
    unknown = stray("unknown", NAMESPACE, image="registry.example.com/tool:1")
    whole.reader.put(unknown)
    first = inventory(whole).servers[0]
    assert (first.workload, first.verdict, first.risk) == ("pod/unknown", "escaped", "critical")


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_modes_that_only_report(whole: FakeCluster, mode: str) -> None:
    """A good pod there is of low risk, a bad one of medium."""
    put_namespace(whole, mode)
    put_namespace(whole, mode, "team-b")
    whole.reader.put(running(bare_pod(), owned=False))
    rows = by_name(inventory(whole))
    assert (rows["pod/chat"].verdict, rows["pod/chat"].risk) == ("reported", "low")
    assert (rows["pod/stray"].verdict, rows["pod/stray"].risk) == ("reported", "medium")


def test_without_an_installation_servers_are_listed_all_the_same(whole: FakeCluster) -> None:
    """What enforcing would do is not known then, and it is said so."""
    for name in ("quorate-genesis", "quorate-injection"):
        whole.reader.drop("ConfigMap", name)
    found = inventory(whole)
    assert {s.verdict for s in found.servers} == {"not known"}
    assert found.gaps
    assert result(found, 120).exit_code == exit_codes.UNREACHABLE


class OneNamespace(FakeReader):
    """A reader whose user has rights in one namespace only."""

    def get(self, kind: Kind, name: str, namespace: str = "") -> Document | None:
        """See Reader."""
        if kind.name == "Namespace":
            raise NotPermitted("get", kind, "", name)
        return super().get(kind, name, namespace)

    def each(self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "") -> Any:
        """See Reader."""
        if (kind.namespaced and namespace != NAMESPACE) or kind.name == "Namespace":
            raise NotPermitted("list", kind, namespace)
        return super().each(kind, namespace, labels=labels, fields=fields)


def test_rights_in_one_namespace(whole: FakeCluster) -> None:
    """Its rows are shown, that the rest is missing is said, and its unknown mode is no yes."""
    whole.reader = OneNamespace(whole.reader.objects)
    found = inventory(whole)
    assert [s.workload for s in found.servers] == ["pod/chat"]
    assert found.servers[0].verdict == "not known"
    assert [g.message for g in found.gaps] == ["you may not list namespaces"]
    assert result(found, 120).exit_code == exit_codes.UNREACHABLE


class NoSecondNamespace(FakeReader):
    """A reader whose user may list namespaces, and pods of the first only."""

    def each(self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "") -> Any:
        """See Reader."""
        if kind.namespaced and namespace != NAMESPACE:
            raise NotPermitted("list", kind, namespace)
        return super().each(kind, namespace, labels=labels, fields=fields)


def test_a_namespace_that_may_not_be_read_is_named(whole: FakeCluster) -> None:
    """Never silently fewer rows: each refused reading is a line."""
    whole.reader = NoSecondNamespace(whole.reader.objects)
    found = inventory(whole)
    assert [(s.workload, s.verdict) for s in found.servers] == [("pod/chat", "allowed")]
    assert "you may not list pods in namespace team-b" in {g.message for g in found.gaps}


def test_csv_is_a_table_that_no_spreadsheet_runs(whole: FakeCluster) -> None:
    """One line a row, quotes and commas kept, formulas made text."""
    whole.reader.put(stray("odd", args=["--model", '=HYPERLINK("x"),y']))
    rows = list(csv.DictReader(io.StringIO(as_csv(inventory(whole)))))
    assert list(rows[0]) == list(COLUMNS)
    odd = next(row for row in rows if row["workload"] == "pod/odd")
    assert odd["serves"] == '\'=HYPERLINK("x"),y'
    assert odd["risk"] == "high"


class _Page(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.attributes += attrs


@pytest.mark.requirement("inventory --html: one page that needs nothing else")
def test_the_page_loads_nothing_and_runs_nothing(whole: FakeCluster) -> None:
    """No script, no link, no address; what a tenant wrote stays text."""
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[2J"
    whole.reader.put(stray("evil", image="vllm/x", args=["--model", evil]))
    model = copy.deepcopy(whole.reader.objects["AttestedModel", NAMESPACE, "demo"])
    model["spec"]["owners"]["model"]["name"] = evil[:60]
    whole.reader.put(model)
    text = page(inventory(whole), whole.now)
    assert "\x1b" not in text
    parsed = _Page()
    parsed.feed(text)
    assert not {"script", "link", "img", "iframe", "a", "form", "base"} & set(parsed.tags)
    loaded = [name for name, _ in parsed.attributes if name in ("src", "href", "action")]
    assert loaded == []
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "pod/stray" in text
    assert "default-src 'none'" in text


def test_lines_say_what_matters(whole: FakeCluster) -> None:
    """Risk first, and how many are outside."""
    lines = result(inventory(whole), 160).lines
    assert lines[0].startswith("RISK")
    assert lines[1].startswith("high")
    assert any("1 in namespaces that have not opted in" in line for line in lines)


@pytest.mark.requirement("break-glass is shown while it is in force")
def test_broken_glass_is_mentioned(cluster: FakeCluster) -> None:
    """In every form but the table of rows: as a line, in the document, on the page, as text."""
    assert inventory(cluster).suspended == ()
    broken_glass(cluster, because="<script>x</script>")
    found = inventory(cluster)
    done = result(found, 400)
    (line,) = (line for line in done.lines if "break-glass" in line)
    assert "until 2026-11-21T14:00:00Z, by platform-lead" in line
    assert [one["namespace"] for one in done.document["suspended"]] == [NAMESPACE]
    text = page(found, cluster.now)
    assert "by platform-lead: &lt;script&gt;" in text


def test_finished_pods_are_left_out(whole: FakeCluster) -> None:
    """A Job that has run serves nothing."""
    done = stray("done")
    done["status"]["phase"] = "Succeeded"
    whole.reader.put(done)
    assert "pod/done" not in by_name(inventory(whole))


def test_an_exempt_pod_is_listed_only_if_it_looks_like_a_server(whole: FakeCluster) -> None:
    """The platform's exemption is not hidden from an inventory, and batch jobs do not fill it."""
    digest = f"sha256:{'e' * 64}"
    whole.put_floor({"exemptImages": [{"digest": digest, "reason": "runs no model"}]})
    whole.put_model()
    whole.reader.put(
        stray("batch", NAMESPACE, image=f"registry.example.com/batch@{digest}"),
        stray("vllm", NAMESPACE, image=f"registry.example.com/vllm@{digest}"),
    )
    rows = by_name(inventory(whole))
    assert "pod/batch" not in rows
    assert (rows["pod/vllm"].verdict, rows["pod/vllm"].enforce) == ("allowed", "GoesOn")


def test_labels_of_excluded_namespaces_do_not_count(whole: FakeCluster) -> None:
    """kube-system is never judged, whatever its label says."""
    put_namespace(whole, "enforce", "kube-system")
    whole.reader.put(stray("inside", "kube-system"))
    assert by_name(inventory(whole))["pod/inside"].mode == ""
