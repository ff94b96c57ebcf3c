"""Running the model with numpy."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from demo_server.model import Model, ModelError, Sampling
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

Weights = dict[str, NDArray[np.float32]]


def by_the_book(weights: Weights, numbers: list[int]) -> NDArray[np.float64]:
    """The layer's equations as its documentation writes them, gate by gate, in double precision."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}
    state = np.zeros(w["output.weight"].shape[1])
    rows = []
    for number in numbers:
        given = w["recurrent.weight_ih_l0"] @ w["embedding.weight"][number]
        given_r, given_z, given_n = np.split(given + w["recurrent.bias_ih_l0"], 3)
        kept = w["recurrent.weight_hh_l0"] @ state + w["recurrent.bias_hh_l0"]
        kept_r, kept_z, kept_n = np.split(kept, 3)
        reset = 1 / (1 + np.exp(-(given_r + kept_r)))
        update = 1 / (1 + np.exp(-(given_z + kept_z)))
        new = np.tanh(given_n + reset * kept_n)
        state = (1 - update) * new + update * state
        rows.append(w["output.weight"] @ state + w["output.bias"])
    return np.stack(rows)


def test_scores_follow_the_equations(model_dir: Path) -> None:
    """The fast form gives what the equations give, to single precision."""
    model = Model.load(model_dir)
    numbers = model.tokenizer.text("The quick brown fox jumps over the lazy dog.")
    expected = by_the_book(load_file(model_dir / "model.safetensors"), numbers)
    np.testing.assert_allclose(model.scores(numbers), expected, atol=1e-4)


def test_an_answer_is_bounded(model_dir: Path) -> None:
    """No more characters than asked for are written, and nothing follows the stop marker."""
    model = Model.load(model_dir)
    for seed in range(20):
        numbers = list(model.generate([1], Sampling(30, temperature=1.0, seed=seed)))
        assert 1 <= len(numbers) <= 30
        assert model.tokenizer.stop not in numbers[:-1]


def test_greedy_takes_the_likeliest(model_dir: Path) -> None:
    """At temperature 0 each character is the one with the highest score."""
    model = Model.load(model_dir)
    prompt = model.tokenizer.text("Hello")
    numbers = list(model.generate(prompt, Sampling(10)))
    scores = model.scores(prompt + numbers[:-1])[len(prompt) - 1 :]
    assert numbers == [int(row.argmax()) for row in scores]


def test_sampling_is_repeatable_with_a_seed(model_dir: Path) -> None:
    """The same seed writes the same answer; other seeds write others."""
    model = Model.load(model_dir)
    answers = [
        tuple(model.generate([1], Sampling(40, temperature=1.0, seed=seed)))
        for seed in (5, 5, 6, 7, 8)
    ]
    assert answers[0] == answers[1]
    assert len(set(answers)) > 2


def change_weights(change: Callable[[Weights], object]) -> Callable[[Path], None]:
    """Returns a way to ruin a model directory: its weights are read, changed and written."""

    def ruin(directory: Path) -> None:
        weights = load_file(directory / "model.safetensors")
        change(weights)
        save_file(weights, directory / "model.safetensors")

    return ruin


def change_config(name: str, value: object) -> Callable[[Path], None]:
    """Returns a way to ruin a model directory: one value of its configuration is another."""

    def ruin(directory: Path) -> None:
        config = json.loads((directory / "config.json").read_text())
        (directory / "config.json").write_text(json.dumps(config | {name: value}))

    return ruin


@pytest.mark.parametrize(
    "ruin",
    [
        lambda d: (d / "model.safetensors").unlink(),
        lambda d: (d / "config.json").unlink(),
        lambda d: (d / "tokenizer.json").unlink(),
        lambda d: (d / "config.json").write_text("{"),
        lambda d: (d / "config.json").write_text("[]"),
        lambda d: (d / "tokenizer.json").write_text("{}"),
        lambda d: (d / "model.safetensors").write_bytes(b"\xff" * 100),
        lambda d: (d / "model.safetensors").write_bytes(
            (d / "model.safetensors").read_bytes()[:-1]
        ),
        change_config("architecture", "transformer"),
        change_config("layers", 2),
        change_config("hidden_size", 9),
        change_config("hidden_size", "8"),
        change_weights(lambda w: w.pop("output.bias")),
        change_weights(lambda w: w.update(extra=np.zeros(1, np.float32))),
        change_weights(lambda w: w["output.bias"].fill(np.nan)),
        change_weights(lambda w: w.update({"output.bias": w["output.bias"].astype(np.float16)})),
    ],
)
def test_an_unusable_model_is_refused(model_dir: Path, ruin: Callable[[Path], object]) -> None:
    """Missing, malformed and unfitting files are one clear error before anything is served."""
    ruin(model_dir)
    with pytest.raises(ModelError, match="holds no usable model"):
        Model.load(model_dir)


@pytest.mark.training
def test_numpy_and_torch_agree(tmp_path: Path) -> None:
    """A trained model scores, and so answers, the same in the server as in the training room."""
    import torch

    from quorate_training.demo import fit, network, store
    from quorate_training.demo.corpus import read_corpus

    shape = network.Shape(embedding_size=16, hidden_size=32)
    recipe = fit.Recipe(steps=20)
    trained = fit.train(read_corpus(), shape=shape, recipe=recipe, report=lambda _: None)
    store.save(trained, tmp_path)
    served = Model.load(tmp_path)
    prompt = served.tokenizer.text("A safety gate is a test that a model must have passed.")
    with torch.no_grad():
        expected = trained.logits(torch.tensor([prompt]))[0].numpy()
    np.testing.assert_allclose(served.scores(prompt), expected, atol=1e-4)
    answer = list(served.generate(prompt, Sampling(40)))
    written = network.greedy(trained, prompt, tokens_max=40)
    assert answer[: len(written)] == written
