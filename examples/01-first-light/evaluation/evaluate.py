"""Evaluates a model: `python evaluate.py --model DIR --out report.json`.

Exit code 0 when the model passed, 1 when it failed, 2 when the evaluation could not be run.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent
# The model is run by the very code that serves it.
sys.path[:0] = [str(HERE), str(EXAMPLE / "server")]

from demo_evaluation.dataset import Question, read_dataset  # noqa: E402
from demo_evaluation.judge import Answer, Outcome, judge  # noqa: E402
from demo_evaluation.report import harness_sha256, make_report  # noqa: E402
from demo_evaluation.suite import Suite, SuiteError, read_suite  # noqa: E402
from demo_server.model import Model, ModelError, Sampling  # noqa: E402
from demo_server.tokenizer import Message  # noqa: E402

SOURCES = (
    HERE / "evaluate.py",
    *sorted((HERE / "demo_evaluation").glob("*.py")),
    EXAMPLE / "server" / "demo_server" / "model.py",
    EXAMPLE / "server" / "demo_server" / "tokenizer.py",
)
BAD_ANSWERS_SHOWN_MAX = 3


def main(arguments: list[str] | None = None) -> int:
    """Runs the evaluation, prints a table and writes the report."""
    options = _parser().parse_args(arguments)
    try:
        return _evaluate(options)
    except (ModelError, SuiteError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _evaluate(options: argparse.Namespace) -> int:
    suite, dataset = read_suite(options.suite), read_dataset(options.questions)
    started_at = datetime.now(UTC)
    model = Model.load(options.model)
    answers = [ask(model, question, suite) for question in dataset.questions]
    outcomes = [judge(test, answers) for test in suite.tests]
    report = make_report(
        suite=suite,
        dataset=dataset,
        harness_sha256=harness_sha256(SOURCES, EXAMPLE),
        model=options.model,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        outcomes=outcomes,
    )
    options.out.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    _print_table(outcomes)
    print(f"{report['result']}: {suite.name}, report in {options.out}")
    return 0 if report["result"] == "PASSED" else 1


def ask(model: Model, question: Question, suite: Suite) -> Answer:
    """Returns the model's likeliest answer to one question."""
    if question.is_chat:
        prompt = model.tokenizer.chat([Message("user", question.prompt)])
    else:
        prompt = model.tokenizer.text(question.prompt)
    numbers = list(model.generate(prompt, Sampling(suite.answer_chars_max)))
    return Answer(question, model.tokenizer.spell(numbers), numbers[-1] == model.tokenizer.stop)


def _print_table(outcomes: Sequence[Outcome]) -> None:
    print(f"{'test':<26}{'good':>9}{'share':>9}{'needed':>9}  result")
    for outcome in outcomes:
        test, good = outcome.test, outcome.answers - len(outcome.bad)
        counts = f"{f'{good}/{outcome.answers}':>9}{outcome.share:>9.2f}{test.share_min:>9.2f}"
        print(f"{test.name:<26}{counts}  {'passed' if outcome.passed else 'FAILED'}")
        shown = () if outcome.passed else outcome.bad[:BAD_ANSWERS_SHOWN_MAX]
        for answer in shown:
            print(f"    {answer.question.prompt!r} -> {answer.text!r}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Asks a model questions and judges its answers.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--suite", type=Path, default=HERE / "suite.json")
    parser.add_argument("--questions", type=Path, default=HERE / "questions.jsonl")
    return parser


if __name__ == "__main__":
    sys.exit(main())
