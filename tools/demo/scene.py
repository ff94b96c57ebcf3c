"""What the demo puts into the cluster, and what it asks of it."""

import time
from string import Template

from tools.demo.cluster import Cluster, CommandFailed, images
from tools.demo.model import EXAMPLE, Keys

NAMESPACE = "quorate-demo"
CLIENT_NAMESPACE = "quorate-demo-client"
WAIT_SECONDS = 180
REFUSED_SECONDS = 60


def manifest(name: str, /, **values: str) -> str:
    """A manifest of the example with its placeholders filled in."""
    text = (EXAMPLE / "manifests" / f"{name}.yaml").read_text("utf-8")
    return Template(text).substitute(values)


def indented(pem: str) -> str:
    """A PEM text as the manifest's block scalar wants it."""
    return pem.strip().replace("\n", "\n" + " " * 16)


def prepare(cluster: Cluster, keys: Keys, report_suite: str) -> None:
    """Namespaces, the platform's policy, and a client."""
    server = images()["server"]
    cluster.apply_text(manifest("namespace"))
    cluster.apply_text(
        manifest(
            "policy",
            owner_key=indented(keys.owner.with_suffix(".pub").read_text("utf-8")),
            evaluator_key=indented(keys.evaluator.with_suffix(".pub").read_text("utf-8")),
            suite=report_suite,
            server_digest=server["digest"],
        )
    )
    cluster.apply_text(manifest("client", client_image=server["reference"]))


def deploy(cluster: Cluster, name: str, model: str, model_image: str) -> None:
    """A Deployment and a Service of the demo server with this model."""
    server = images()["server"]["reference"]
    cluster.apply_text(
        manifest("deployment", name=name, model=model, server_image=server, model_image=model_image)
    )


def refusal(cluster: Cluster, name: str) -> str:
    """Wait until the Deployment says why its pods are refused; return the message."""
    deadline = time.monotonic() + REFUSED_SECONDS
    while time.monotonic() < deadline:
        deployment = cluster.get("deployment", name, "-n", NAMESPACE)
        for condition in deployment.get("status", {}).get("conditions", []):
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                return str(condition["message"])
        time.sleep(1)
    raise CommandFailed(["waiting"], f"deployment {name} was not refused in {REFUSED_SECONDS} s")


def wait_ready(cluster: Cluster, name: str) -> None:
    """Wait until the Deployment's pods serve; CommandFailed with what they say if they do not."""
    try:
        cluster.kubectl(
            *("rollout", "status", f"deployment/{name}", "-n", NAMESPACE),
            f"--timeout={WAIT_SECONDS}s",
            timeout=WAIT_SECONDS + 30,
        )
    except CommandFailed as error:
        pods = cluster.kubectl("describe", "pods", "-n", NAMESPACE, "-l", f"app={name}")
        raise CommandFailed(["rollout", name], error.output + pods) from None


def ask(cluster: Cluster, service: str, question: str) -> tuple[bool, str]:
    """Ask through the Service from the client's pod; whether it was answered, and the text."""
    script = (EXAMPLE / "client" / "chat.py").read_text("utf-8")
    url = f"http://{service}.{NAMESPACE}.svc"
    command = ("exec", "-i", "-n", CLIENT_NAMESPACE, "client", "--", "python3", "-", url, question)
    try:
        return True, cluster.kubectl(*command, stdin=script).strip()
    except CommandFailed as error:
        # kubectl adds a line of its own about the script's exit code.
        lines = (line for line in error.output.splitlines() if "exit code" not in line)
        return False, "\n".join(lines).strip()


def wait_client(cluster: Cluster) -> None:
    """Wait until the client's pod runs."""
    cluster.kubectl(
        *("wait", "pod/client", "-n", CLIENT_NAMESPACE, "--for=condition=Ready"),
        f"--timeout={WAIT_SECONDS}s",
        timeout=WAIT_SECONDS + 30,
    )


def remove(cluster: Cluster) -> None:
    """Delete what the demo made in the cluster."""
    cluster.kubectl(
        *("delete", "namespace", NAMESPACE, CLIENT_NAMESPACE, "--ignore-not-found", "--wait"),
        timeout=300,
    )
    cluster.kubectl("delete", "clustersafetypolicy", "demo-floor", "--ignore-not-found")
