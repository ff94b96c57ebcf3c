"""Debian packages the local provider needs: installed as root, or named in the error."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.cluster.command import run
from tools.cluster.errors import ClusterError, CommandFailed
from tools.cluster.progress import say

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_INSTALL_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Package:
    """A package and the file or program that shows it is there."""

    name: str
    shows: str


CLUSTER_PACKAGES = (
    Package("etcd-server", "etcd"),
    Package("runc", "runc"),
    Package("containernetworking-plugins", "/usr/lib/cni/ptp"),
    Package("nftables", "nft"),
    Package("iptables", "iptables"),
    Package("conntrack", "conntrack"),
    Package("iproute2", "ip"),
    Package("util-linux", "nsenter"),
    Package("mount", "mount"),
    Package("openssl", "openssl"),
    Package("gcc", "gcc"),
    Package("libc6-dev", "/usr/include/stdio.h"),
)
IMAGE_PACKAGES = (
    Package("buildah", "buildah"),
    Package("debootstrap", "debootstrap"),
    Package("skopeo", "skopeo"),
)


def present(package: Package) -> bool:
    """Whether the package's file or program is on this machine."""
    if package.shows.startswith("/"):
        return Path(package.shows).exists()
    return shutil.which(package.shows, path=_SYSTEM_FOLDERS) is not None


def ensure(packages: tuple[Package, ...]) -> None:
    """Install what is missing; ClusterError names the packages where that is impossible."""
    missing = [package.name for package in packages if not present(package)]
    if not missing:
        return
    command = f"apt-get install --yes --no-install-recommends {' '.join(missing)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"these Debian packages are missing; as root run: {command}")
    say(f"installing Debian packages: {', '.join(missing)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(command.split(), env=env, timeout_seconds=_INSTALL_TIMEOUT_SECONDS)
    except CommandFailed:
        run(["apt-get", "update"], env=env, timeout_seconds=_INSTALL_TIMEOUT_SECONDS)
        run(command.split(), env=env, timeout_seconds=_INSTALL_TIMEOUT_SECONDS)
    if still := [package.name for package in packages if not present(package)]:
        raise ClusterError(f"installed, but their programs are not found: {', '.join(still)}")
