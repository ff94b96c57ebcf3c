"""Namespaces: which enforce, and whether anything could start there."""

from collections.abc import Iterator
from shlex import quote

from quorate import names
from quorate.policy.compiled import CompiledPolicy
from quorate_cli.cluster.modes import Modes
from quorate_cli.doctor.finding import Finding, failed, notice, ok
from quorate_cli.doctor.survey import Policies, Survey

NAMED_MAX = 10


def namespaces(survey: Survey) -> Iterator[Finding]:
    """Every label is a mode, and stands where it means something."""
    modes = survey.modes
    if not isinstance(modes, Modes):
        return
    check = "namespaces"
    for name, mode in modes.unknown[:NAMED_MAX]:
        command = f"kubectl label namespace {quote(name)} {names.MODE_LABEL}=enforce --overwrite"
        message = f"is labelled {mode!r}, which is no mode: nothing is judged there"
        yield failed(f"namespace {name}", message, "use enforce, warn or audit", command)
    for name in modes.excluded:
        command = f"kubectl label namespace {quote(name)} {names.MODE_LABEL}-"
        message = "is never judged, whatever its label says"
        yield notice(f"namespace {name}", message, "remove the label", command)
    if modes.enforced:
        yield ok(check, f"{len(modes.enforced)} enforced: {_named(modes.enforced)}")
    else:
        command = f"kubectl label namespace NAME {names.MODE_LABEL}=enforce"
        yield notice(check, "none enforces: nothing is protected", "label one", command)


def platform_floor(survey: Survey) -> Iterator[Finding]:
    """In every enforced namespace something could start: policies name what a pod needs."""
    modes, policies = survey.modes, survey.policies
    if not isinstance(modes, Modes) or not isinstance(policies, Policies) or not modes.enforced:
        return
    check = "platform policies"
    floors = [p for p in policies.compiled if p.is_cluster and p.signers]
    if not floors:
        message = "no ClusterSafetyPolicy names signers: nothing can start in "
        fix = "apply a ClusterSafetyPolicy with model.signers"
        command = "kubectl explain clustersafetypolicy.spec.model.signers"
        yield failed(check, message + _named(modes.enforced), fix, command)
        return
    bare = {name: _unsaid(name, policies.compiled) for name in modes.enforced}
    lacking = {name: what for name, what in bare.items() if what}
    for name, what in list(lacking.items())[:NAMED_MAX]:
        message = f"no policy for {name} names {what}: nothing can start there"
        fix = "name it in a policy of the namespace or of the platform"
        commands = tuple(f"kubectl edit clustersafetypolicy/{p.ref.name}" for p in floors[:1])
        yield failed(check, message, fix, *commands)
    if not lacking:
        yield ok(check, f"signers are named by {', '.join(p.ref.name for p in floors[:NAMED_MAX])}")


def _unsaid(namespace: str, policies: list[CompiledPolicy]) -> str:
    """What some policy must say and none of those that could be for this namespace does."""
    meant = [p for p in policies if p.ref.namespace in (None, namespace)]
    if not any(p.spec.model.servers for p in meant):
        return "model.servers"
    if not any(p.spec.runtime.upstream for p in meant):
        return "runtime.upstream"
    return ""


def _named(found: list[str]) -> str:
    more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
    return ", ".join(sorted(found)[:NAMED_MAX]) + more
