"""CONNECT: nobody reaches a model behind its sidecar by exec, attach or port-forward.

``pods/proxy`` is not among them: it dials the pod's address, where only the sidecar listens.
"""

from quorate.admission import pods
from quorate.admission.injection import Pod
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement, is_exempt, selected
from quorate.verdict import ALLOW, Reason, deny

SUBRESOURCES = {"exec": "exec into", "attach": "attach to", "portforward": "port-forward to"}
"""What may not be connected to, and how messages say it."""
_ASK = (
    "kubectl logs shows what the server says, and kubectl quorate explain pod/{name} how it "
    "stands; if that is not enough, ask for a SafetyException with requirement Connect "
    "(docs/howto/ask-for-an-exception.md)"
)


def connect(pod: Pod, subresource: str, container: str, snapshot: Snapshot) -> Judgement:
    """May somebody connect to this pod so? ``container`` is empty where none was named."""
    selection = selected(pod, snapshot)
    if is_exempt(pod, selection):
        return Judgement(ALLOW, exempt=True)
    how = SUBRESOURCES[subresource]
    name = pods.display_name(pod)
    if container in pods.INJECTED:
        verdict = deny(
            Reason.CONNECT_REFUSED,
            f"nobody may {how} {container}: it holds the pod's key",
            fix="kubectl logs shows what it says",
        )
        return Judgement(verdict, selection=selection)
    verdict = deny(
        Reason.CONNECT_REFUSED,
        f"nobody may {how} model pod {name}: it would reach the model behind its sidecar",
        policy=selection.names,
        owner=selection.owner,
        fix=_ASK.format(name=name),
    )
    return Judgement(verdict, selection=selection)
