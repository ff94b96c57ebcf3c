"""The checks, in the order of the list. To add one: a function in a file, named here."""

from collections.abc import Callable, Iterable
from typing import Final

from quorate_cli.doctor.checks.api_server import clock, version
from quorate_cli.doctor.checks.certificates import serving_certificate
from quorate_cli.doctor.checks.components import components
from quorate_cli.doctor.checks.definitions import definitions
from quorate_cli.doctor.checks.floor import floor
from quorate_cli.doctor.checks.genesis import genesis, injected_genesis
from quorate_cli.doctor.checks.models import models
from quorate_cli.doctor.checks.namespaces import namespaces, platform_floor
from quorate_cli.doctor.checks.policies import exempt_images, policies
from quorate_cli.doctor.checks.webhooks import mutating, validating
from quorate_cli.doctor.finding import Finding
from quorate_cli.doctor.survey import Survey

Check = Callable[[Survey], Iterable[Finding]]

CHECKS: Final[tuple[tuple[Check, tuple[str, ...]], ...]] = (
    (version, ()),
    (clock, ("ahead",)),
    (definitions, ("definitions",)),
    (components, ("components",)),
    (genesis, ("genesis", "injection")),
    (mutating, ("mutating",)),
    (validating, ("validating",)),
    (floor, ("admission_policies", "injection", "previous_image")),
    (serving_certificate, ("leaf", "validating")),
    (namespaces, ("modes",)),
    (policies, ("policies",)),
    (platform_floor, ("modes", "policies")),
    (injected_genesis, ("genesis", "pods")),
    (exempt_images, ("policies", "pods")),
    (models, ("models",)),
)
"""Each check with the parts of the survey it looks at."""
