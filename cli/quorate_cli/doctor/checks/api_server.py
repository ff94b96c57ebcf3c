"""The API server: is it new enough, and is its clock ours?"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from quorate import limits
from quorate_cli.doctor.finding import Finding, failed, notice, ok
from quorate_cli.doctor.survey import Survey

SUPPORTED: Final = (1, 33)
"""Native sidecars are stable from here; the chart asks for the same."""
IMAGE_VOLUMES: Final = (1, 35)
"""Image volumes are on by default from here."""
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")


def version(survey: Survey) -> Iterator[Finding]:
    """The API server's version is one this release supports."""
    check = "API server version"
    match = _VERSION.match(survey.version)
    if match is None:
        yield notice(check, f"{survey.version!r} is no version", "ask who runs the cluster")
        return
    found = (int(match[1]), int(match[2]))
    if found < SUPPORTED:
        wanted = ".".join(map(str, SUPPORTED))
        message = f"{survey.version} is older than {wanted}: sidecars would not start first"
        yield failed(check, message, f"upgrade the cluster to {wanted} or newer")
    elif found < IMAGE_VOLUMES:
        message = f"{survey.version}: image volumes are off unless the ImageVolume gate is on"
        fix = "turn the ImageVolume feature gate on, or put models on claims"
        yield notice(check, message, fix)
    else:
        yield ok(check, survey.version)


def clock(survey: Survey) -> Iterator[Finding]:
    """This machine's clock agrees with the API server's, or what is signed here is refused."""
    check = "clock"
    if not isinstance(survey.ahead, timedelta):
        return
    seconds = survey.ahead.total_seconds()
    if abs(seconds) > limits.CLOCK_SKEW:
        which = "behind" if seconds > 0 else "ahead of"
        message = f"this machine is {abs(seconds):.0f} s {which} the API server"
        fix = "set the clock by NTP: results of gates signed here may be refused as of the future"
        yield notice(check, message, fix, "timedatectl status")
    else:
        yield ok(check, f"within {limits.CLOCK_SKEW} s of the API server")
