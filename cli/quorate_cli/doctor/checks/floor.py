"""The floor: every admission policy and binding is what this version generates."""

from collections.abc import Iterator

from quorate.admission import floor as core_floor
from quorate.admission.injection import InjectionConfig
from quorate_cli.cluster.kinds import Document
from quorate_cli.doctor.difference import difference
from quorate_cli.doctor.finding import UPGRADE, Finding, failed, ok
from quorate_cli.doctor.survey import FLOOR_PREFIX, Survey


def floor(survey: Survey) -> Iterator[Finding]:
    """The floor denies when our webhooks are gone; one that was changed may not."""
    live, injection, previous = survey.admission_policies, survey.injection, survey.previous_image
    if not (
        isinstance(live, dict)
        and isinstance(injection, InjectionConfig)
        and isinstance(previous, str)
    ):
        return
    image = previous or injection.image
    # A value of the chart, and the only one that cannot be read from anywhere else.
    problems = [
        _first_problem(live, core_floor.FloorConfig(injection, image, deny_unselected=deny))
        for deny in ("false", "true")
    ]
    if all(problems):
        fix = "put the floor back: without it, nothing denies when the webhook's entry is deleted"
        yield failed("floor", problems[0], fix, UPGRADE)
    else:
        count = len(live)
        yield ok("floor", f"{count} policies and bindings, as this version generates them")


def _first_problem(live: dict[str, Document], config: core_floor.FloorConfig) -> str:
    expected = {f"{d['kind']}/{d['metadata']['name']}": d for d in core_floor.policies(config)}
    for name, document in expected.items():
        found = live.get(name)
        if found is None:
            return f"{name} is missing"
        if where := difference(document["spec"], found.get("spec") or {}, "spec"):
            return f"{name} differs at {where}"
    extra = sorted(set(live) - set(expected))
    return f"{extra[0]} is none of {FLOOR_PREFIX}'s" if extra else ""
