"""Built programs are found by the digest of their lock, and stamped with its version."""

from pathlib import Path

import pytest

from tools.cluster import binaries
from tools.cluster.errors import ClusterError

GO_MOD = """\
module quorate.dev/tools/kubernetes

go 1.26.0

require (
	k8s.io/kubernetes v1.36.3 // indirect
	k8s.io/kubernetes-other v9.9.9
)
require k8s.io/single v0.1.2
"""


def test_the_pinned_version_is_read() -> None:
    """The version comes from the lock, never from a second place."""
    assert binaries.pinned_version(GO_MOD, "k8s.io/kubernetes") == "v1.36.3"
    assert binaries.pinned_version(GO_MOD, "k8s.io/single") == "v0.1.2"


def test_a_module_that_is_not_required_is_an_error() -> None:
    """A lock without the module cannot be stamped."""
    with pytest.raises(ClusterError, match="does not require"):
        binaries.pinned_version(GO_MOD, "k8s.io/absent")


def test_kubernetes_is_stamped_for_client_and_server() -> None:
    """kubectl and Helm parse the version of both."""
    flags = binaries.linker_flags(binaries.MODULES[0], GO_MOD)
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v1.36.3" in flags
        assert f"-X {package}.gitMajor=1 -X {package}.gitMinor=36" in flags


def copy_of_locks(target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The modules' locks in a folder that a test may change."""
    for module in binaries.MODULES:
        (target / module.name).mkdir(parents=True)
        for name in ("go.mod", "go.sum"):
            text = (module.folder / name).read_text()
            (target / module.name / name).write_text(text)
    monkeypatch.setattr(binaries, "_MODULES_FOLDER", target)
    return target


@pytest.mark.parametrize("changed", ["go.mod", "go.sum"])
def test_a_changed_lock_has_another_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Each part of the lock decides which binaries are used."""
    module = binaries.MODULES[0]
    before = binaries.lock_digest(module)
    folder = copy_of_locks(tmp_path, monkeypatch)
    assert binaries.lock_digest(module) == before
    with (folder / module.name / changed).open("a") as lock:
        lock.write("// changed\n")
    assert binaries.lock_digest(module) != before


def test_nothing_is_used_until_every_module_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that lacks one module's folder is no set of binaries."""
    monkeypatch.setenv("QUORATE_CACHE", str(tmp_path))
    folders = [f"{one.name}-{binaries.lock_digest(one)}" for one in binaries.MODULES]
    for folder in folders[:-1]:
        (tmp_path / "quorate" / "bin" / folder).mkdir(parents=True)
    assert binaries.cached() is None
    (tmp_path / "quorate" / "bin" / folders[-1]).mkdir()
    built = binaries.cached()
    assert built is not None
    assert built.path("kubelet") == tmp_path / "quorate" / "bin" / folders[0] / "kubelet"


def test_the_peer_is_built_apart_from_what_the_cluster_runs() -> None:
    """Nobody who wants a cluster waits for CometBFT; its lock pins the line that is supported."""
    assert binaries.COMETBFT not in binaries.MODULES
    go_mod = (binaries.COMETBFT.folder / "go.mod").read_text()
    assert binaries.pinned_version(go_mod, binaries.COMETBFT.path).startswith("v0.38.")
