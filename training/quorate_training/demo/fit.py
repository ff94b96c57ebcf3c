"""Trains a network on dialogues."""

import itertools
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from quorate_training.demo.corpus import Dialogue
from quorate_training.demo.network import Network, Shape, build_network
from quorate_training.demo.samples import Sample, batches, pad

# One thread: the steps are too small to share between cores, and two threads on a busy machine
# wait for each other at every step. It also makes the sums, and so the weights, repeatable.
THREADS = 1
GRADIENT_NORM_MAX = 1.0
DECAY_FROM = 0.4
REPORT_EVERY_STEPS = 50


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: everything that decides the resulting weights, but for the texts."""

    steps: int = 900
    seed: int = 7
    batch_size: int = 16
    learning_rate: float = 8e-3
    muon_learning_rate: float = 2e-2
    warmup_steps: int = 30


@dataclass(frozen=True, slots=True)
class Progress:
    """A report from the middle of training; the loss is in nats per answer character."""

    step: int
    steps: int
    loss: float
    seconds: float


Report = Callable[[Progress], None]


def train(
    dialogues: Sequence[Dialogue], *, shape: Shape, recipe: Recipe, report: Report
) -> Network:
    """Returns a network trained from nothing."""
    torch.manual_seed(recipe.seed)
    network = build_network(shape)
    fit(network, dialogues, recipe=recipe, report=report)
    return network


def fit(
    network: Network, dialogues: Sequence[Dialogue], *, recipe: Recipe, report: Report
) -> float:
    """Trains a network in place and returns the mean loss of the last reported steps."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    optimizers = _optimizers(network, recipe)
    rng = random.Random(recipe.seed)  # noqa: S311 - repeatable training is the point
    supply = batches(dialogues, batch_size=recipe.batch_size, rng=rng)
    started = time.monotonic()
    recent: list[float] = []
    mean = math.inf
    for step, batch in enumerate(itertools.islice(supply, recipe.steps)):
        _set_rates(optimizers, step, recipe)
        recent.append(_step(network, optimizers, batch))
        if (step + 1) % REPORT_EVERY_STEPS == 0 or step + 1 == recipe.steps:
            mean = sum(recent) / len(recent)
            report(Progress(step + 1, recipe.steps, mean, time.monotonic() - started))
            recent.clear()
    return mean


def _optimizers(network: Network, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the recurrent matrices, where it needs half the steps of AdamW; AdamW elsewhere."""
    named = dict(network.modules.named_parameters())
    matrices = {name for name in named if name.startswith("recurrent.weight")}
    return [
        torch.optim.Muon(
            [named[name] for name in sorted(matrices)],
            lr=recipe.muon_learning_rate,
            weight_decay=0.0,
        ),
        torch.optim.AdamW(
            [named[name] for name in sorted(named.keys() - matrices)],
            lr=recipe.learning_rate,
            betas=(0.9, 0.95),
        ),
    ]


def _set_rates(optimizers: Sequence[torch.optim.Optimizer], step: int, recipe: Recipe) -> None:
    """Warms up, holds, and from DECAY_FROM of the way on falls linearly to almost nothing."""
    left = 1.0 - step / recipe.steps
    scale = min(1.0, (step + 1) / recipe.warmup_steps) * min(1.0, 0.02 + left / (1 - DECAY_FROM))
    for optimizer, rate in zip(
        optimizers, (recipe.muon_learning_rate, recipe.learning_rate), strict=True
    ):
        for group in optimizer.param_groups:
            group["lr"] = rate * scale


def _step(
    network: Network, optimizers: Sequence[torch.optim.Optimizer], batch: Sequence[Sample]
) -> float:
    """Makes one step and returns the loss of the answers alone."""
    rows, weight_rows = pad(batch)
    tokens, weights = torch.tensor(rows), torch.tensor(weight_rows)[:, 1:]
    scores = network.logits(tokens[:, :-1])
    each = functional.cross_entropy(scores.transpose(1, 2), tokens[:, 1:], reduction="none")
    loss = (each * weights).sum() / weights.sum()
    network.modules.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.modules.parameters(), GRADIENT_NORM_MAX)
    for optimizer in optimizers:
        optimizer.step()
    answers = weights >= 1.0
    return float(each.detach()[answers].mean())
