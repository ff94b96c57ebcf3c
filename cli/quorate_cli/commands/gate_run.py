"""``gate run``: run a suite against an endpoint and sign its result."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quorate.errors import InvalidInput
from quorate.evidence.intoto import GateRun, Outcome, gate_statement
from quorate.ports import Signer
from quorate.predicates import PredicateUri
from quorate_cli import exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.evaluation.arguments import (
    add_endpoint,
    add_suite,
    chosen_suite,
    limits_of,
    settings_of,
)
from quorate_cli.evaluation.run_progress import RunProgress
from quorate_cli.evidence_signer import model_digest, sign_statement
from quorate_cli.files import check_target, read_password, read_signer, write_file
from quorate_cli.layout import table, terminal_width
from quorate_cli.progress import Progress
from quorate_evaluation.endpoint import Endpoint, Settings
from quorate_evaluation.evaluation import Evaluation, evaluate
from quorate_evaluation.interface import Case
from quorate_evaluation.report.document import document, encoded
from quorate_evaluation.report.page import page
from quorate_evaluation.report.rows import HEADER, rows
from quorate_evaluation.runner import Answered, Limits, run

_FORMS = (".html", ".json")


def _arguments(parser: ArgumentParser) -> None:
    add_suite(parser)
    add_endpoint(parser)
    parser.add_argument(
        "--api-key-file", metavar="FILE", type=Path, help="file with the endpoint's API key"
    )
    parser.add_argument("--ca", metavar="FILE", type=Path, help="authorities to trust (PEM)")
    parser.add_argument(
        "--import",
        dest="imports",
        metavar="FORMAT=FILE",
        action="append",
        default=[],
        help="report of another tool to count as well, garak=FILE or pyrit=FILE; repeatable",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="write a report: FILE.html for people, FILE.json to sign elsewhere; repeatable",
    )
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--manifest-digest", metavar="DIGEST", help="the model, as sha256:…")
    model.add_argument("--model", metavar="DIR", type=Path, help="the model's directory")
    parser.add_argument("--key", type=Path, help="private key of the producer")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="where to write the signed result")
    parser.add_argument(
        "--unsigned",
        action="store_true",
        help="sign nothing, only write --report; exit code 0 for any result",
    )


def _run(arguments: Namespace, progress: Progress) -> Result:
    signer = _signer(arguments)
    for path in arguments.report:
        check_target(path)
        if path.suffix not in _FORMS:
            raise InvalidInput(f"must end with {' or '.join(_FORMS)}", field=str(path))
    suite, given = chosen_suite(arguments)
    settings, limits = settings_of(arguments), limits_of(arguments)
    digest = None if signer is None else model_digest(arguments, progress)
    cases = suite.cases(arguments.seed)
    said = RunProgress(quiet=arguments.output == "json")
    started_at = datetime.now(UTC)
    answered = asyncio.run(_ask(settings, cases, arguments.seed, limits, said))
    evaluation = evaluate(
        suite,
        answered,
        given,
        seed=arguments.seed,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
    if signer is not None and digest is not None:
        _sign(evaluation.run, digest, signer, arguments.out)
    report = document(evaluation, _about(arguments, digest))
    _write_reports(arguments.report, evaluation, report)
    return Result(
        _lines(evaluation, answered, arguments),
        {**report, "manifestDigest": digest, "envelope": arguments.out and str(arguments.out)},
        _exit_code(evaluation, unsigned=arguments.unsigned),
    )


def _signer(arguments: Namespace) -> Signer | None:
    """The key to sign with, checked before the work. Raises InvalidInput for half of it."""
    named = arguments.manifest_digest is not None or arguments.model is not None
    if arguments.unsigned:
        if arguments.key or arguments.out or named or not arguments.report:
            raise InvalidInput(
                "goes with --report and without key, model and --out", field="--unsigned"
            )
        return None
    if not (arguments.key and arguments.out and named):
        raise InvalidInput(
            "must be given, and --manifest-digest or --model",
            field="--key, --out",
            fix="or use --unsigned with --report",
        )
    check_target(arguments.out)
    return read_signer(arguments.key, read_password(arguments.password_file))


async def _ask(
    settings: Settings, cases: Any, seed: int, limits: Limits, said: RunProgress
) -> Answered:
    async with Endpoint(settings, limits.concurrency) as endpoint:
        found: list[Case] = list(cases)
        return await run(endpoint, found, seed, limits, said)


def _sign(result: GateRun, digest: str, signer: Signer, out: Path) -> None:
    payload = gate_statement(result, digest)
    sign_statement(payload, PredicateUri.TEST_RESULT, signer, out)


def _about(arguments: Namespace, digest: str | None) -> dict[str, str]:
    about = {"endpoint": arguments.endpoint, "model": arguments.served_model}
    return about | ({"manifest": digest} if digest else {})


def _write_reports(paths: list[Path], evaluation: Evaluation, report: Mapping[str, Any]) -> None:
    for path in paths:
        form = page(evaluation, dict(report)) if path.suffix == ".html" else encoded(dict(report))
        write_file(path, form)


def _lines(evaluation: Evaluation, answered: Answered, arguments: Namespace) -> list[str]:
    result = evaluation.run
    broken = [*result.failed_tests, *result.warned_tests]
    return [
        *table(rows(evaluation), terminal_width(), header=HEADER),
        "",
        f"{result.result}: {evaluation.suite.name}"
        + (f", because not {'; not '.join(broken)}" if broken else ""),
        f"cases:    {len(answered.answers)} answered, {answered.errors.total()} not, "
        f"{answered.requests} requests",
        f"suite:    {result.suite}",
        f"dataset:  {result.dataset}",
        f"harness:  {result.harness}",
        *([f"signed:   {arguments.out}"] if arguments.out else []),
        *(f"report:   {path}" for path in arguments.report),
    ]


def _exit_code(evaluation: Evaluation, *, unsigned: bool) -> int:
    passed = evaluation.run.result is Outcome.PASSED
    return exit_codes.OK if passed or unsigned else exit_codes.DENIED


COMMAND = Command(
    words=("gate", "run"),
    summary="run a suite against an endpoint and sign its result",
    description=(
        "Ask an OpenAI-compatible endpoint all that a suite asks, hold the figures against its\n"
        "thresholds, and sign the result about one model: PASSED, WARNED or FAILED. A run that is\n"
        "not complete (errors, time-outs, no endpoint) has no result: nothing is written, and the\n"
        "exit code is 3. That the endpoint serves this model is the producer's word."
    ),
    examples=(
        "gate run over-refusal --endpoint http://127.0.0.1:8000/v1 --model ./model \\\n"
        "      --key evaluator.key --out over-refusal.json --report over-refusal.html",
        "gate run red-team --endpoint https://models.example.com/v1 --api-key-file key.txt \\\n"
        "      --import garak=garak.report.jsonl --manifest-digest sha256:… \\\n"
        "      --key evaluator.key --out red-team.json",
        "gate run bias --endpoint http://127.0.0.1:8000/v1 --threshold 'gap_upper_bound<=0.03' \\\n"
        "      --unsigned --report bias.json",
    ),
    arguments=_arguments,
    run=_run,
    notes=(
        "Exit code 0 for PASSED, 1 for WARNED and FAILED (both are signed: they are evidence).\n"
        "Suites and what they measure: docs/howto/run-a-gate.md."
    ),
)
