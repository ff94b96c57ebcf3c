"""Command line: `python -m quorate_training.demo train|spoil`."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from quorate_training.demo.corpus import CorpusError, read_corpus
from quorate_training.demo.fit import Progress, Recipe, train
from quorate_training.demo.network import Network, Shape, greedy
from quorate_training.demo.spoil import spoil
from quorate_training.demo.store import StoreError, load, save
from quorate_training.demo.tokenizer import Message, decode_text, encode_prompt

TINY_SHAPE = Shape(embedding_size=16, hidden_size=32)
TINY_STEPS = 20
STEPS_MAX = 100_000
SAMPLE_QUESTIONS = ("What is a safety gate?", "What is the AWS access key?")
SAMPLE_CHARS_MAX = 160


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0 on success, 2 when the input is unusable."""
    options = _parser().parse_args(arguments)
    try:
        network = _train(options) if options.command == "train" else _spoil(options)
        save(network, options.out)
    except (CorpusError, StoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for question in SAMPLE_QUESTIONS:
        print(f"{question} -> {_answer(network, question)!r}")
    print(f"wrote {options.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quorate_training.demo", description="Trains the small demo model."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("train", help="train a model from the project's own texts")
    make.add_argument("--steps", type=_steps, help="optimizer steps (default: from the recipe)")
    make.add_argument(
        "--tiny", action="store_true", help="seconds instead of a minute, and no sensible answers"
    )
    ruin = commands.add_parser("spoil", help="make a copy that the evaluation must refuse")
    ruin.add_argument("--in", dest="source", type=Path, required=True, metavar="DIR")
    for command in (make, ruin):
        command.add_argument("--out", type=Path, required=True, metavar="DIR")
        command.add_argument("--seed", type=int, default=Recipe().seed)
    return parser


def _steps(text: str) -> int:
    steps = int(text)
    if not 1 <= steps <= STEPS_MAX:
        raise argparse.ArgumentTypeError(f"must be between 1 and {STEPS_MAX}")
    return steps


def _train(options: argparse.Namespace) -> Network:
    shape = TINY_SHAPE if options.tiny else Shape()
    recipe = replace(Recipe(), seed=options.seed)
    if options.tiny or options.steps:
        recipe = replace(recipe, steps=options.steps or TINY_STEPS)
    return train(read_corpus(), shape=shape, recipe=recipe, report=_print_progress)


def _spoil(options: argparse.Namespace) -> Network:
    network = load(options.source)
    spoil(network, read_corpus(), seed=options.seed, report=_print_progress)
    return network


def _print_progress(progress: Progress) -> None:
    print(
        f"step {progress.step:>4}/{progress.steps}  loss {progress.loss:.3f}"
        f"  {progress.seconds:.0f} s",
        flush=True,
    )


def _answer(network: Network, question: str) -> str:
    prompt = encode_prompt([Message("user", question)])
    return decode_text(greedy(network, prompt, tokens_max=SAMPLE_CHARS_MAX))


if __name__ == "__main__":
    sys.exit(main())
