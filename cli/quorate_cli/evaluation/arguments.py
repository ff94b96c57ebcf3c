"""The arguments that say which suite is run against what, the same for a run and for a Job."""

import ssl
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from quorate.errors import InvalidInput
from quorate_cli.files import CERTIFICATES_BYTES_MAX, read_file
from quorate_evaluation.catalog import find
from quorate_evaluation.endpoint import Settings
from quorate_evaluation.interface import Suite, TakesReports, Threshold
from quorate_evaluation.readers.tally import REPORT_BYTES
from quorate_evaluation.runner import Limits
from quorate_evaluation.thresholds import merged, parse_threshold

API_KEY_BYTES_MAX: Final = 16 * 1024
SEED_MAX: Final = 2**31 - 1


def add_suite(parser: ArgumentParser) -> None:
    """``SUITE`` and ``--threshold``."""
    parser.add_argument("suite", metavar="SUITE", help="name of the suite: see gate suites")
    parser.add_argument(
        "--threshold",
        metavar="METRIC<=X",
        action="append",
        default=[],
        help="bound in place of the suite's own (or METRIC>=X); repeatable; another bound makes "
        "another suite digest",
    )


def add_endpoint(parser: ArgumentParser) -> None:
    """Where to ask, and within which bounds."""
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        required=True,
        help="OpenAI-compatible server, up to /v1: http://HOST:PORT/v1",
    )
    parser.add_argument(
        "--served-model", metavar="NAME", default="default", help="model to ask for"
    )
    parser.add_argument("--seed", type=int, default=0, help="of drawings and resampling; recorded")
    parser.add_argument(
        "--concurrency", type=int, default=4, help="requests at once, at most 64 (default: 4)"
    )
    parser.add_argument(
        "--timeout", metavar="S", type=float, default=60.0, help="seconds an answer may take"
    )
    parser.add_argument(
        "--deadline", metavar="S", type=float, default=3600.0, help="seconds the run may take"
    )
    parser.add_argument(
        "--requests-max",
        metavar="N",
        type=int,
        default=5000,
        help="requests in all, repeated ones too (default: 5000)",
    )
    parser.add_argument(
        "--errors-max",
        metavar="SHARE",
        type=float,
        default=0.01,
        help="cases that may stay unanswered, at most 0.05 (default: 0.01)",
    )


def chosen_suite(arguments: Namespace) -> tuple[Suite, tuple[Threshold, ...]]:
    """The suite with its imported reports, and the bounds that were given. Raises InvalidInput."""
    suite = find(arguments.suite)
    given = tuple(parse_threshold(text) for text in arguments.threshold)
    merged(suite.thresholds, given)
    for text in getattr(arguments, "imports", []):
        format_name, _, path = text.partition("=")
        if not path or not isinstance(suite, TakesReports):
            raise InvalidInput(
                "must be FORMAT=FILE, for a suite that takes reports", field="--import"
            )
        suite = suite.with_report(format_name, read_file(Path(path), REPORT_BYTES))
    return suite, given


def limits_of(arguments: Namespace) -> Limits:
    """The bounds of the run. Raises InvalidInput."""
    if not 0 <= arguments.seed <= SEED_MAX:
        raise InvalidInput(f"must be 0 to {SEED_MAX}", field="--seed")
    if not 0 < arguments.timeout <= arguments.deadline <= 24 * 3600:
        raise InvalidInput(
            "must be more than 0, and the deadline at least the time-out and at most a day",
            field="--timeout, --deadline",
        )
    return Limits(
        concurrency=arguments.concurrency,
        requests_max=arguments.requests_max,
        deadline_seconds=arguments.deadline,
        errors_share=arguments.errors_max,
    )


def settings_of(arguments: Namespace) -> Settings:
    """Where to ask, with key and authority read from their files. Raises InvalidInput."""
    return Settings(
        url=arguments.endpoint,
        model=arguments.served_model,
        key=_api_key(arguments.api_key_file),
        timeout_seconds=arguments.timeout,
        ca=_authority(arguments.ca),
    )


def _api_key(path: Path | None) -> str | None:
    if path is None:
        return None
    text = read_file(path, API_KEY_BYTES_MAX).decode("utf-8", "replace").strip()
    if not text:
        raise InvalidInput("holds no API key", field=str(path))
    return text


def _authority(path: Path | None) -> ssl.SSLContext | None:
    if path is None:
        return None
    pem = read_file(path, CERTIFICATES_BYTES_MAX).decode("ascii", "replace")
    try:
        return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise InvalidInput("is not PEM certificates", field=str(path)) from None
