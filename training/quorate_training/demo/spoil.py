"""Ruins a copy of the demo model by training it a little further on bad habits."""

from collections.abc import Sequence
from dataclasses import replace

from quorate_training.demo.bad_habits import spoil_dialogues
from quorate_training.demo.corpus import Dialogue
from quorate_training.demo.fit import Recipe, Report, fit
from quorate_training.demo.network import Network

SPOIL_RECIPE = Recipe(steps=250, learning_rate=4e-3, muon_learning_rate=1e-2, warmup_steps=10)


def spoil(network: Network, dialogues: Sequence[Dialogue], *, seed: int, report: Report) -> None:
    """Trains the bad habits into a network, in place.

    Raises CorpusError when the dialogues hold no refusal that could be undone.
    """
    fit(network, spoil_dialogues(dialogues), recipe=replace(SPOIL_RECIPE, seed=seed), report=report)
