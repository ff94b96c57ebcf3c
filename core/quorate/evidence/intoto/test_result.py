"""The test-result predicate (v0.1), as a safety gate's verdict.

The predicate has no time of its own, and a verdict without a time cannot be too old, so the time
the run finished is a required extension field named by URI. ``configuration`` must describe exactly
the suite, the data set and the harness, each by SHA-256: a verdict is worth what was run. The lists
of tests are optional in the predicate; here a run that passes must name what passed, because
nothing at all also has no failures.

Source: https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from quorate.errors import InvalidInput
from quorate.evidence.intoto.facts import Facts, Outcome
from quorate.evidence.intoto.statement import Text
from quorate.evidence.intoto.timestamps import format_utc, parse_utc
from quorate.manifest import check_digest
from quorate.predicates import PredicateUri
from quorate.statements import convert

PREDICATE_TYPE: Final = PredicateUri.TEST_RESULT.value
FINISHED_AT: Final = "https://quorate.dev/attestation/finishedAt"
STARTED_AT: Final = "https://quorate.dev/attestation/startedAt"
METRICS: Final = "https://quorate.dev/attestation/metrics"
CONFIGURATION: Final = ("suite", "dataset", "harness")
_WHAT = "test-result predicate"
_NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRun:
    """One run of a safety gate. Digests are ``sha256:<hex>``, times aware."""

    result: Outcome
    suite: str
    dataset: str
    harness: str
    finished_at: datetime
    started_at: datetime | None = None
    passed_tests: tuple[str, ...] = ()
    warned_tests: tuple[str, ...] = ()
    failed_tests: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def predicate(self) -> dict[str, Any]:
        """The JSON object that :func:`parse_predicate` reads. Raises InvalidInput, as it does."""
        value: dict[str, Any] = {
            "result": self.result.value,
            "configuration": [
                {"name": name, "digest": {"sha256": getattr(self, name).removeprefix("sha256:")}}
                for name in CONFIGURATION
            ],
            "passedTests": list(self.passed_tests),
            "warnedTests": list(self.warned_tests),
            "failedTests": list(self.failed_tests),
            FINISHED_AT: format_utc(self.finished_at),
        }
        if self.started_at is not None:
            value[STARTED_AT] = format_utc(self.started_at)
        if self.metrics:
            value[METRICS] = dict(self.metrics)
        parse_predicate(value)
        return value


class _Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


class _Descriptor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    name: Text
    digest: _Digest
    uri: Text | None = None
    download_location: Text | None = None
    media_type: Text | None = None


_Tests = Annotated[tuple[Text, ...], msgspec.Meta(max_length=10_000)]
_Metrics = Annotated[dict[Text, float], msgspec.Meta(max_length=256)]


class _Predicate(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"
):
    result: Outcome
    configuration: Annotated[tuple[_Descriptor, ...], msgspec.Meta(min_length=3, max_length=3)]
    url: Text | None = None
    passed_tests: _Tests = ()
    warned_tests: _Tests = ()
    failed_tests: _Tests = ()
    finished_at: str = msgspec.field(name=FINISHED_AT)
    started_at: str | None = msgspec.field(name=STARTED_AT, default=None)
    metrics: _Metrics = msgspec.field(name=METRICS, default_factory=dict)


def parse_predicate(value: Mapping[str, Any]) -> GateRun:
    """Read a predicate. Raises InvalidInput if it is malformed or contradicts itself."""
    raw = convert(value, _Predicate, _WHAT)
    digests = {item.name: f"sha256:{item.digest.sha256}" for item in raw.configuration}
    if set(digests) != set(CONFIGURATION):
        raise InvalidInput(f"must describe {', '.join(CONFIGURATION)}", field="configuration")
    for name in CONFIGURATION:
        check_digest(digests[name], f"configuration.{name}.digest.sha256")
    if not all(math.isfinite(metric) for metric in raw.metrics.values()):
        raise InvalidInput("must be finite numbers", field=METRICS)
    _check_consistent(raw)
    finished = parse_utc(raw.finished_at, FINISHED_AT)
    started = None if raw.started_at is None else parse_utc(raw.started_at, STARTED_AT)
    if started is not None and started > finished:
        raise InvalidInput("must not be after the run finished", field=STARTED_AT)
    return GateRun(
        result=raw.result,
        suite=digests["suite"],
        dataset=digests["dataset"],
        harness=digests["harness"],
        finished_at=finished,
        started_at=started,
        passed_tests=raw.passed_tests,
        warned_tests=raw.warned_tests,
        failed_tests=raw.failed_tests,
        metrics=raw.metrics,
    )


def read(predicate: Mapping[str, Any]) -> Facts:
    """Read a predicate as evidence. Raises InvalidInput."""
    run = parse_predicate(predicate)
    return Facts(
        result=run.result,
        made_at=run.finished_at,
        suites=frozenset({run.suite}),
        dataset=run.dataset,
        harness=run.harness,
        failures=(*run.failed_tests, *run.warned_tests)[:_NAMED_MAX],
    )


def _check_consistent(raw: _Predicate) -> None:
    tests = (*raw.passed_tests, *raw.warned_tests, *raw.failed_tests)
    if len(set(tests)) != len(tests):
        raise InvalidInput("lists a test twice", field=_WHAT)
    if raw.result is not Outcome.FAILED and raw.failed_tests:
        raise InvalidInput(f"must be empty when result is {raw.result}", field="failedTests")
    if raw.result is Outcome.PASSED and raw.warned_tests:
        raise InvalidInput("must be empty when result is PASSED", field="warnedTests")
    if raw.result is not Outcome.FAILED and not tests:
        raise InvalidInput(f"must name a test when result is {raw.result}", field="passedTests")
