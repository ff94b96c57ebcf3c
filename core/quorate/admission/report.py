"""What enforcing would say about a pod of a namespace that only warns or audits.

Nothing is injected or gated there, so the injection is made in thought: what remains is what the
pod's owner would have to change.
"""

from datetime import datetime

from msgspec.structs import replace

from quorate.admission import mutate, validate
from quorate.admission.injection import Pod
from quorate.admission.snapshot import Snapshot
from quorate.admission.validate import Judgement
from quorate.verdict import all_of


def would_say(pod: Pod, snapshot: Snapshot, now: datetime) -> Judgement:
    """Whether the pod would be admitted, and whether it would be allowed to run."""
    completed = mutate.apply(pod, mutate.complete(pod, snapshot))
    created = validate.create(completed, snapshot)
    ran = validate.may_run(completed, snapshot, now)
    return replace(created, verdict=all_of(created.verdict, ran.verdict))
