"""Operator, webhook and members: are they there and ready?"""

from collections.abc import Iterator

from quorate import names
from quorate.consensus.epoch import Epoch
from quorate_cli.doctor.finding import UPGRADE, Finding, failed, notice, ok
from quorate_cli.doctor.survey import Survey


def components(survey: Survey) -> Iterator[Finding]:
    """Every service has all its replicas ready, and all are of one version."""
    if not isinstance(survey.components, list):
        return
    where = f"-n {names.NAMESPACE}"
    for component in survey.components:
        workload = component.workload
        if not component.present:
            yield failed(
                component.name,
                "is not installed",
                "install the chart",
                UPGRADE,
            )
            continue
        counts = f"{component.ready} of {component.wanted} ready"
        look = (
            f"kubectl describe {workload} {where}",
            f"kubectl logs {workload} {where} --tail=50",
        )
        message = ": ".join(filter(None, (counts, component.message)))
        if component.wanted == 0:
            scale = f"kubectl scale {workload} {where} --replicas=1"
            yield failed(component.name, "is scaled to 0", "scale it up", scale)
        elif component.ready == 0:
            yield failed(component.name, message, "see why its pods are not ready", *look)
        elif component.ready < component.wanted:
            yield notice(component.name, message, "see why a pod of it is not ready", *look)
        else:
            yield ok(component.name, f"{counts}, {component.version or 'no version label'}")
    yield from _empty_seats(survey, {component.name for component in survey.components})
    versions = sorted({c.version for c in survey.components if c.present})
    if len(versions) > 1:
        fix = "let the upgrade finish, or run it again"
        yield notice("versions", f"components differ: {', '.join(versions)}", fix, UPGRADE)


def _empty_seats(survey: Survey, running: set[str]) -> Iterator[Finding]:
    """Members of the genesis that nothing runs, where others are run."""
    if isinstance(survey.genesis, Epoch) and "member" not in running:
        for name in sorted(set(survey.genesis.members) - running):
            fix = "set committee.preset and committee.members as at the first installation"
            yield failed(name, "has a seat in the genesis, and nothing runs it", fix, UPGRADE)
