"""Whether a pod that was let go really serves: what the node made of it, as a decision."""

from collections.abc import Iterator
from shlex import quote

from quorate_cli.explain.explanation import ContainerState, Decision, NodeSide, Refusal, Remedy
from quorate_cli.explain.remedies.of_evidence import BUNDLE, SIGN

MEASURE_FAILED = "MeasureFailed"
SIDECAR_NOT_READY = "SidecarNotReady"
SERVER_NOT_READY = "ServerNotReady"


def serving(node: NodeSide, namespace: str, pod: str) -> Decision | None:
    """The verdict on serving; None while the pod is gated, or still starting without a fault."""
    if node.gate == "held" or not node.containers:
        return None
    refusals = tuple(_faults(node.containers, namespace, pod))
    if refusals:
        return Decision(question="serve", answer="no", refusals=refusals)
    if all(container.ready for container in node.containers):
        return Decision(question="serve", answer="yes")
    return None


def _faults(containers: tuple[ContainerState, ...], namespace: str, pod: str) -> Iterator[Refusal]:
    """The first fault in the order of starting: what comes after it only waits."""
    for container in containers:
        if container.ready or not container.at_fault:
            continue
        where = f"{quote(pod)} -n {quote(namespace)} -c {quote(container.name)}"
        yield _fault(container, f"kubectl logs {where} --tail=50")
        return


def _fault(container: ContainerState, logs: str) -> Refusal:
    said = f"{container.name}: {container.message or container.state}"
    if container.role == "measure":
        text = "put the signed files back, or sign and gate those that are there"
        verify = f"kubectl quorate verify DIR --bundle {BUNDLE} --key MODEL-OWNER.pub"
        commands: tuple[str, ...] = (logs, verify, SIGN)
        return Refusal(
            reason=MEASURE_FAILED, message=said, remedy=Remedy(text=text, commands=commands)
        )
    if container.role == "sidecar":
        text = "its log says what it lacks: word from the committee, or a port that is taken"
        commands = (logs, "kubectl quorate doctor")
        return Refusal(
            reason=SIDECAR_NOT_READY, message=said, remedy=Remedy(text=text, commands=commands)
        )
    text = "its log says why; a server that binds every address finds its port taken by the "
    text += "sidecar: have it bind 127.0.0.1 (--host 127.0.0.1, OLLAMA_HOST=127.0.0.1)"
    return Refusal(
        reason=SERVER_NOT_READY, message=said, remedy=Remedy(text=text, commands=(logs,))
    )
