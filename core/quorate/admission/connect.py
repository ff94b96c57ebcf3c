"""CONNECT: nobody reaches a model behind its sidecar by exec, attach or port-forward.

``pods/proxy`` is not among them: it dials the pod's address, where only the sidecar listens.
"""

from datetime import datetime

from quorate.admission import debugging, pods
from quorate.admission.injection import Pod
from quorate.admission.lifting import lifting
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement, is_exempt, selected
from quorate.api.v1alpha1.safety_exception import CONNECT
from quorate.verdict import ALLOW, Reason, deny

SUBRESOURCES = {"exec": "exec into", "attach": "attach to", "portforward": "port-forward to"}
"""What may not be connected to, and how messages say it."""
_ASK = (
    "kubectl logs shows what the server says, and kubectl quorate explain pod/{name} how it "
    "stands; if that is not enough, ask for a SafetyException with requirement Connect "
    "(docs/howto/ask-for-an-exception.md)"
)


def connect(
    pod: Pod, subresource: str, container: str, snapshot: Snapshot, now: datetime
) -> Judgement:
    """May somebody connect to this pod so? ``container`` is empty where none was named.

    An exception lifts the refusal of one ClusterSafetyPolicy: all that select the pod must be
    lifted.
    """
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
    known = snapshot.models.get((pods.namespace(pod), pods.model_name(pod)))
    wanted = frozenset({CONNECT})
    if container in debugging.names_in(pod):
        # What may be put there may be used: kubectl debug attaches to what it adds.
        wanted |= debugging.REQUIREMENTS
    found = lifting(wanted, selection, known, snapshot, now)
    if found.is_lifted:
        warning = f"SafetyException: this connection to {name} is one; there is an incident"
        return Judgement(ALLOW, (warning,), False, selection, known)
    verdict = deny(
        Reason.CONNECT_REFUSED,
        f"nobody may {how} model pod {name}: it would reach the model behind its sidecar",
        policy=", ".join(str(policy.ref) for policy in found.refusing) or selection.names,
        owner=selection.owner,
        fix=_ASK.format(name=name),
    )
    return Judgement(verdict, selection=selection)
