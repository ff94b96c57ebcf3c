"""Build the pinned Go modules once per lock: cached by the digest of go.mod, go.sum and flags."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.cache import cache_root
from tools.cluster.command import run
from tools.cluster.errors import ClusterError
from tools.cluster.flocks import locked
from tools.cluster.progress import say

_MODULES_FOLDER = Path(__file__).parent / "modules"
_BUILD_TIMEOUT_SECONDS = 3600
_BASE_FLAGS = ("-trimpath", "-buildvcs=false")
_BASE_LINKER_FLAGS = "-s -w"
_UNFINISHED = ".building-"


@dataclass(frozen=True)
class Module:
    """A folder with go.mod and go.sum, the programs it builds and where versions are stamped."""

    name: str
    path: str
    """The Go module whose version is stamped."""

    programs: tuple[str, ...]
    stamps: tuple[str, ...]
    """Linker variables that take the version; without them kubectl and Helm cannot parse it."""

    @property
    def folder(self) -> Path:
        """Where the module's lock lies."""
        return _MODULES_FOLDER / self.name


MODULES = (
    Module(
        "kubernetes",
        "k8s.io/kubernetes",
        (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        ),
        ("k8s.io/component-base/version.gitVersion", "k8s.io/client-go/pkg/version.gitVersion"),
    ),
    Module(
        "containerd",
        "github.com/containerd/containerd/v2",
        ("containerd", "containerd-shim-runc-v2", "ctr"),
        ("github.com/containerd/containerd/v2/version.Version",),
    ),
    Module(
        "registry",
        "github.com/distribution/distribution/v3",
        ("registry",),
        ("github.com/distribution/distribution/v3/version.version",),
    ),
    Module("coredns", "github.com/coredns/coredns", ("coredns",), ()),
    Module("helm", "helm.sh/helm/v4", ("helm",), ("helm.sh/helm/v4/internal/version.version",)),
)
"""What the cluster runs."""
COMETBFT = Module("cometbft", "github.com/cometbft/cometbft", ("cometbft",), ())
"""What the committee's benchmark measures beside it; the cluster does not need it."""


class Binaries:
    """The built programs, each found by name; ``folder`` holds a folder per module."""

    def __init__(self, folder: Path, folders: dict[str, Path]) -> None:
        self.folder = folder
        self._folders = folders

    def module_folder(self, program: str) -> Path:
        """The folder that holds a program."""
        for module in (*MODULES, COMETBFT):
            if program in module.programs and module.name in self._folders:
                return self._folders[module.name]
        raise ClusterError(f"no pinned module builds {program}")

    def path(self, program: str) -> Path:
        """The absolute path of a program."""
        return self.module_folder(program) / program

    @property
    def digest(self) -> str:
        """One digest over all modules, to see that a running cluster is of other binaries."""
        names = sorted(folder.name for folder in self._folders.values())
        return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def pinned_version(go_mod: str, module_path: str) -> str:
    """The version of a required module in the text of a go.mod; ClusterError when absent."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module_path)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ClusterError(f"go.mod does not require {module_path}: run `go mod tidy` there")
    return found[1]


def linker_flags(module: Module, go_mod: str) -> str:
    """The value of -ldflags: strip symbols, stamp the version."""
    version = pinned_version(go_mod, module.path)
    stamps = [f"-X {variable}={version}" for variable in module.stamps]
    if module.name == "kubernetes":
        major, minor = version.lstrip("v").split(".")[:2]
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            stamps += [f"-X {package}.gitMajor={major}", f"-X {package}.gitMinor={minor}"]
    return " ".join([_BASE_LINKER_FLAGS, *stamps])


def lock_digest(module: Module) -> str:
    """The digest that names the module's folder in the cache."""
    go_mod = (module.folder / "go.mod").read_text()
    go_sum = (module.folder / "go.sum").read_text()
    flags = " ".join([*_BASE_FLAGS, linker_flags(module, go_mod), platform.machine()])
    joined = "\0".join([go_mod, go_sum, flags])
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


def cached(modules: tuple[Module, ...] = MODULES) -> Binaries | None:
    """The binaries when every module of the present lock is built, else None."""
    folder = cache_root() / "bin"
    folders = {module.name: folder / f"{module.name}-{lock_digest(module)}" for module in modules}
    complete = all(path.is_dir() for path in folders.values())
    return Binaries(folder, folders) if complete else None


def ensure(modules: tuple[Module, ...] = MODULES) -> Binaries:
    """Build what is missing and return all; two checkouts never build at the same time."""
    ready = cached(modules)
    if ready is not None:
        return ready
    folder = cache_root() / "bin"
    folder.mkdir(exist_ok=True)
    with locked(folder, "building the cluster's binaries", _BUILD_TIMEOUT_SECONDS):
        for unfinished in folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(unfinished)
        for module in modules:
            target = folder / f"{module.name}-{lock_digest(module)}"
            if not target.is_dir():
                _build(module, target)
    built = cached(modules)
    if built is None:
        raise ClusterError(f"the lock changed while it was built: run again ({folder})")
    return built


def _build(module: Module, target: Path) -> None:
    if shutil.which("go") is None:
        raise ClusterError(
            "Go 1.26 or newer is needed to build the cluster's programs and is not on PATH; "
            "a Docker engine with kind is the other way"
        )
    say(f"building {module.name}: {', '.join(module.programs)} (minutes when the cache is cold)")
    started = time.monotonic()
    go_mod = (module.folder / "go.mod").read_text()
    flags = [*_BASE_FLAGS, "-ldflags", linker_flags(module, go_mod)]
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=_UNFINISHED) as temporary:
        output = Path(temporary) / "bin"
        output.mkdir()
        run(
            ["go", "build", *flags, "-o", f"{output}/", "tool"],
            cwd=module.folder,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
            timeout_seconds=_BUILD_TIMEOUT_SECONDS,
        )
        missing = [name for name in module.programs if not (output / name).is_file()]
        if missing:
            raise ClusterError(f"{module.folder / 'go.mod'} did not build {missing}")
        output.rename(target)
    say(f"built {module.name} in {(time.monotonic() - started) / 60:.1f} min")
