"""Installs the chart with the images of this checkout."""

from tools.demo.cluster import Cluster, images
from tools.demo.members import wait_for_members

NAMESPACE = "quorate-system"
RELEASE = "quorate"
ROOMS = {"operator": "operator", "webhook": "webhook", "sidecar": "sidecar", "member": "consensus"}
"""Value under ``images`` → image name: a member's image is the consensus room's."""


def install(cluster: Cluster, *, values: dict[str, str] | None = None) -> None:
    """Install or upgrade, and wait until the installation answers for itself: all members too."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }
    )
    upgrade(cluster, values=values)
    wait_for_members(cluster)


def upgrade(cluster: Cluster, *, values: dict[str, str] | None = None) -> None:
    """Have helm make it so. Members may still wait: for their turn, or for a seat."""
    built = images()
    settings = {f"images.{value}": built[name]["reference"] for value, name in ROOMS.items()}
    settings |= values or {}
    arguments = [arg for key, value in settings.items() for arg in ("--set", f"{key}={value}")]
    cluster.helm(
        *("upgrade", "--install", RELEASE, "charts/quorate", "--namespace", NAMESPACE),
        *("--wait", "--timeout", "5m", *arguments),
    )


def uninstall(cluster: Cluster) -> None:
    """Remove the release; what it keeps on purpose (CRDs) stays."""
    cluster.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
