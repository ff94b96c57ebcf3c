"""The provider kind and the Docker builder, against stand-ins for docker, kind and kubectl.

No Docker engine runs where these tests run; the stand-ins write down what they were asked.
"""

import json
import os
import tarfile
from pathlib import Path

import pytest

from tools.cluster import binaries
from tools.cluster.errors import ClusterError
from tools.cluster.kind import KindProvider
from tools.images import oci
from tools.images.blobs import BlobStore
from tools.images.builders import DockerBuilder, selected_builder

STAND_IN = """\
#!/bin/sh
printf '%s' "$(basename "$0")" >> "$STAND_INS/calls"
printf ' %s' "$@" >> "$STAND_INS/calls"
echo >> "$STAND_INS/calls"
case "$(basename "$0") $*" in
"kind create"*)
    touch "$STAND_INS/created"
    while [ $# -gt 0 ]; do
        [ "$1" = --config ] && cp "$2" "$STAND_INS/config.yaml"
        [ "$1" = --kubeconfig ] && echo '{}' > "$2"
        shift
    done ;;
"kind get nodes"*)
    [ -e "$STAND_INS/created" ] && printf 'c-worker2\\nc-control-plane\\nc-worker\\n' ;;
"kind delete"*) rm -f "$STAND_INS/created" ;;
"docker run"*) touch "$STAND_INS/registry" ;;
"docker rm"*) rm -f "$STAND_INS/registry" ;;
"docker ps"*) [ -e "$STAND_INS/registry" ] && echo "$REGISTRY_CONTAINER" ;;
"docker port"*) [ -e "$STAND_INS/registry" ] && echo 127.0.0.1:32768 ;;
"docker exec --interactive"*) cat > "$STAND_INS/$3.toml" ;;
"docker save"*) cp "$STAND_INS/saved.tar" "$3" ;;
"kubectl"*) cat "$STAND_INS/nodes.json" ;;
esac
exit 0
"""


class StandIns:
    """Programs on PATH that write down their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("docker", "kind", "kubectl", "helm"):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(STAND_IN)
            program.chmod(0o755)
        self.nodes("True")

    def nodes(self, ready: str) -> None:
        """What kubectl says about the nodes."""
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        items = [{"metadata": {"name": "c-worker"}, "status": status}]
        (self.folder / "nodes.json").write_text(json.dumps({"items": items}))

    def calls(self) -> list[str]:
        """The command lines so far."""
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """The stand-ins, first on PATH, with state and cache in the test's own folder."""
    made = StandIns(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_INS", str(tmp_path))
    monkeypatch.setenv("QUORATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("QUORATE_CACHE", str(tmp_path / "cache"))
    return made


@pytest.fixture
def provider(stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> KindProvider:
    """The provider for a checkout that holds the configuration."""
    checkout = stand_ins.folder / "checkout"
    checkout.mkdir()
    (checkout / "kind-config.yaml").write_text("nodes:\n  - role: worker\n  - role: worker\n")
    made = KindProvider(checkout)
    monkeypatch.setenv("REGISTRY_CONTAINER", f"{made.name}-registry")
    assert binaries.cached() is None
    return made


def test_up_creates_cluster_registry_and_the_way_to_it(
    provider: KindProvider, stand_ins: StandIns
) -> None:
    """Every node finds the registry under its stable name; the status says where to push."""
    provider.up(3)
    assert (stand_ins.folder / "config.yaml").read_text().count("role: worker") == 3
    for node in ("c-control-plane", "c-worker", "c-worker2"):
        hosts = (stand_ins.folder / f"{node}.toml").read_text()
        assert f'server = "http://{provider.name}-registry:5000"' in hosts
    written = [call for call in stand_ins.calls() if "hosts.toml" in call]
    assert all("/etc/containerd/certs.d/registry.quorate.test:5000" in call for call in written)
    status = provider.status()
    assert (status.up, status.registry) == (True, "127.0.0.1:32768")
    assert status.kubectl == str(stand_ins.folder / "bin" / "kubectl")


def test_up_again_is_a_quick_check(provider: KindProvider, stand_ins: StandIns) -> None:
    """A cluster that is well is not created a second time."""
    provider.up(None)
    provider.up(None)
    assert len([call for call in stand_ins.calls() if call.startswith("kind create")]) == 1


def test_a_cluster_that_is_not_well_is_made_anew(
    provider: KindProvider, stand_ins: StandIns
) -> None:
    """Nothing half broken is kept."""
    provider.up(None)
    stand_ins.nodes("False")
    assert provider.status().problems == ["c-worker is not Ready"]
    provider.up(None)
    calls = [call.split(" --")[0] for call in stand_ins.calls() if call.startswith("kind ")]
    assert calls.count("kind create cluster") == 2
    assert calls.index("kind delete cluster", calls.index("kind create cluster")) > 0


def test_down_removes_cluster_registry_and_state(
    provider: KindProvider, stand_ins: StandIns
) -> None:
    """Nothing is left, and `down` again does no harm."""
    provider.up(None)
    provider.down()
    provider.down()
    left = ("created", "registry", f"state/{provider.name}")
    assert [name for name in left if (stand_ins.folder / name).exists()] == []
    assert provider.status().problems == ["not created"]
    with pytest.raises(ClusterError, match="not up"):
        provider.load("sha256:0", "quorate/x", "dev")


def test_a_component_is_stopped_and_started_by_its_manifest(
    provider: KindProvider, stand_ins: StandIns
) -> None:
    """The static pod's manifest goes away and comes back."""
    provider.stop("kube-apiserver")
    provider.start("kube-apiserver")
    moves = [call.rpartition(" mv ")[2] for call in stand_ins.calls() if " mv " in call]
    there, away = "/etc/kubernetes/manifests", "/etc/kubernetes/stopped"
    name = "kube-apiserver.yaml"
    assert moves == [f"{there}/{name} {away}/", f"{away}/{name} {there}/"]
    with pytest.raises(ClusterError, match="no component"):
        provider.stop("../x")


def test_a_static_pod_is_a_manifest_on_the_node(
    provider: KindProvider, stand_ins: StandIns
) -> None:
    """Written under a name that the kubelet does not read, then moved; and taken away again."""
    provider.up(None)
    provider.static_pod("c-worker", "x", "{}")
    provider.static_pod("c-worker", "x", None)
    wrote, removed = (call for call in stand_ins.calls() if "manifests" in call)
    assert "docker exec --interactive c-worker" in wrote
    assert wrote.endswith("mv /etc/kubernetes/manifests/.x /etc/kubernetes/manifests/x.json")
    assert removed == "docker exec c-worker rm -f /etc/kubernetes/manifests/x.json"
    for node, name in (("c-worker", "../x"), ("other", "x")):
        with pytest.raises(ClusterError, match="no node"):
            provider.static_pod(node, name, "{}")


def test_the_docker_builder_stores_what_docker_saves(stand_ins: StandIns) -> None:
    """Where an engine answers it builds, and its archive ends up in the same store of blobs."""
    source = BlobStore(stand_ins.folder / "source")
    model = stand_ins.folder / "model"
    model.mkdir()
    (model / "file").write_text("x")
    digest = oci.add_folder(source, model, {})
    layout = stand_ins.folder / "layout"
    layout.mkdir()
    oci.write_layout(source, digest, layout)
    with tarfile.open(stand_ins.folder / "saved.tar", "w") as archive:
        archive.add(layout / "index.json", "index.json")
        archive.add(source.folder / "sha256", "blobs/sha256")
    with selected_builder() as builder:
        assert isinstance(builder, DockerBuilder)
        assert builder.build("x", Path("Containerfile"), model) == digest
    built = next(call for call in stand_ins.calls() if call.startswith("docker build"))
    assert built.endswith(f"--file Containerfile {model}")
