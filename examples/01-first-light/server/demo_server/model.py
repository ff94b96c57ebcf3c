"""Runs the model with numpy: one gated recurrent layer between an embedding and an output layer."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from demo_server.tokenizer import Tokenizer

Vector = NDArray[np.float32]


class ModelError(Exception):
    """A model directory cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next character is chosen: temperature 0 takes the likeliest one."""

    tokens_max: int
    temperature: float = 0.0
    seed: int | None = None


class Model:
    """The weights, arranged for speed; safe to share between threads."""

    def __init__(self, weights: dict[str, Vector], tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._recurrent = weights["recurrent.weight_hh_l0"].T.copy()
        self._recurrent_bias = weights["recurrent.bias_hh_l0"]
        self._output = weights["output.weight"].T.copy()
        self._output_bias = weights["output.bias"]
        # What a character adds to the gates does not depend on anything else: computed once.
        self._inputs: Vector = (
            weights["embedding.weight"] @ weights["recurrent.weight_ih_l0"].T
            + weights["recurrent.bias_ih_l0"]
        )
        self._size = self._recurrent.shape[0]

    @classmethod
    def load(cls, directory: Path) -> "Model":
        """Reads `model.safetensors`, `config.json` and `tokenizer.json`.

        Raises ModelError when one is missing, malformed or does not fit the others.
        """
        try:
            config = json.loads((directory / "config.json").read_text("utf-8"))
            tokenizer = Tokenizer.load(directory)
            weights = load_file(directory / "model.safetensors")
            _check(config, weights, tokenizer)
            return cls(weights, tokenizer)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"{directory} holds no usable model: {error}") from error

    def generate(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        """Yields the numbers of the answer, the stop marker included if it comes to that."""
        rng = np.random.default_rng(sampling.seed)
        state: Vector = np.zeros(self._size, np.float32)
        for number in prompt:
            state = self._step(state, number)
        for _ in range(sampling.tokens_max):
            number = _choose(self._scores(state), sampling.temperature, rng)
            yield number
            if number == self.tokenizer.stop:
                return
            state = self._step(state, number)

    def scores(self, numbers: Sequence[int]) -> Vector:
        """Returns the scores of the next character after each place: length x alphabet."""
        state: Vector = np.zeros(self._size, np.float32)
        rows = []
        for number in numbers:
            state = self._step(state, number)
            rows.append(self._scores(state))
        return np.stack(rows)

    def _step(self, state: Vector, number: int) -> Vector:
        size = self._size
        given = self._inputs[number]
        kept = state @ self._recurrent + self._recurrent_bias
        gates = 1.0 / (1.0 + np.exp(-(given[: 2 * size] + kept[: 2 * size])))
        reset, update = gates[:size], gates[size:]
        new = np.tanh(given[2 * size :] + reset * kept[2 * size :])
        result: Vector = new + update * (state - new)
        return result

    def _scores(self, state: Vector) -> Vector:
        result: Vector = state @ self._output + self._output_bias
        return result


def _check(config: dict[str, object], weights: dict[str, Vector], tokenizer: Tokenizer) -> None:
    if config["architecture"] != "gru" or config["layers"] != 1:
        raise ValueError("only one recurrent layer of type gru is supported")
    hidden, embedded = config["hidden_size"], config["embedding_size"]
    if not isinstance(hidden, int) or not isinstance(embedded, int):
        raise ValueError("hidden_size and embedding_size must be numbers")
    expected = {
        "embedding.weight": (tokenizer.size, embedded),
        "recurrent.weight_ih_l0": (3 * hidden, embedded),
        "recurrent.weight_hh_l0": (3 * hidden, hidden),
        "recurrent.bias_ih_l0": (3 * hidden,),
        "recurrent.bias_hh_l0": (3 * hidden,),
        "output.weight": (tokenizer.size, hidden),
        "output.bias": (tokenizer.size,),
    }
    found = {name: value.shape for name, value in weights.items()}
    if found != expected:
        raise ValueError(f"the weights are {found}, config.json asks for {expected}")
    if not all(
        value.dtype == np.float32 and np.isfinite(value).all() for value in weights.values()
    ):
        raise ValueError("the weights must be finite numbers of type float32")


def _choose(scores: Vector, temperature: float, rng: np.random.Generator) -> int:
    if temperature <= 0.0:
        return int(scores.argmax())
    # Gumbel's trick: the largest noisy score is a sample of the softmax.
    return int((scores / temperature + rng.gumbel(size=scores.shape)).argmax())
