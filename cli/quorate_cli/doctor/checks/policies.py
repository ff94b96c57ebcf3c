"""Policies: they compile, and what they exempt is in use."""

from collections.abc import Iterator

from quorate_cli.cluster.protected_pods import PodCensus
from quorate_cli.doctor.finding import Finding, failed, notice, ok
from quorate_cli.doctor.survey import Policies, Survey
from quorate_cli.explain.remedies.context import edit_policy, parse_ref

NAMED_MAX = 10


def policies(survey: Survey) -> Iterator[Finding]:
    """Every policy compiles: one that does not denies every pod it might be for."""
    if not isinstance(survey.policies, Policies):
        return
    for broken in survey.policies.broken[:NAMED_MAX]:
        ref = parse_ref(broken.ref)
        reach = f"namespace {broken.namespace}" if broken.namespace else "every enforced namespace"
        message = f"{broken.ref} does not compile, so {reach} is denied: {broken.message}"
        commands = (edit_policy(ref),) if ref else ()
        yield failed("policies", message, "correct or delete it", *commands)
    if not survey.policies.broken:
        yield ok("policies", f"all {len(survey.policies.compiled)} compile")


def exempt_images(survey: Survey) -> Iterator[Finding]:
    """Every exemption is in use: one that is not only widens what may run unseen."""
    if not isinstance(survey.policies, Policies) or not isinstance(survey.pods, PodCensus):
        return
    unused = [
        (policy, digest)
        for policy in survey.policies.compiled
        for digest in sorted(policy.exempt - survey.pods.images)
    ]
    listed = sum(len(policy.exempt) for policy in survey.policies.compiled)
    if not unused:
        yield ok("exempt images", f"{listed} listed, all in use" if listed else "none listed")
        return
    message = f"{len(unused)} of {listed} are in no pod of an enforced namespace now: " + ", ".join(
        f"{digest} ({policy.ref})" for policy, digest in unused[:NAMED_MAX]
    )
    commands = dict.fromkeys(edit_policy(policy.ref) for policy, _ in unused[:NAMED_MAX])
    fix = "remove what no Job or CronJob needs any more"
    yield notice("exempt images", message, fix, *commands)
