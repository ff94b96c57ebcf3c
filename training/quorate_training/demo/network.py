"""The demo model's network in torch: embedding, one gated recurrent layer, output.

A recurrent network needs no cache for the text so far: its whole memory is one vector, and a step
costs the same at any length, which keeps the numpy server small.
"""

from dataclasses import asdict, dataclass

import torch
from torch import nn

from quorate_training.demo.tokenizer import END, VOCABULARY_SIZE


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a network, in numbers of values."""

    embedding_size: int = 48
    hidden_size: int = 192
    vocabulary_size: int = VOCABULARY_SIZE

    def to_json(self) -> dict[str, object]:
        """Returns what `config.json` holds."""
        return {"architecture": "gru", "layers": 1, "dtype": "float32", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Network:
    """The trainable parts; `modules` owns the parameters under their stored names."""

    shape: Shape
    modules: nn.ModuleDict

    def logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Returns the scores of the next token at each place: batch x length x vocabulary."""
        states, _ = self.modules["recurrent"](self.modules["embedding"](tokens))
        return self.modules["output"](states)


def build_network(shape: Shape) -> Network:
    """Returns a network with fresh random weights."""
    modules = nn.ModuleDict(
        {
            "embedding": nn.Embedding(shape.vocabulary_size, shape.embedding_size),
            "recurrent": nn.GRU(shape.embedding_size, shape.hidden_size, batch_first=True),
            "output": nn.Linear(shape.hidden_size, shape.vocabulary_size),
        }
    )
    return Network(shape, modules)


def greedy(network: Network, prompt: list[int], *, tokens_max: int) -> list[int]:
    """Returns the likeliest continuation of a prompt, up to the end marker or the bound."""
    written: list[int] = []
    with torch.no_grad():
        while len(written) < tokens_max:
            scores = network.logits(torch.tensor([prompt + written]))
            token = int(scores[0, -1].argmax())
            if token == END:
                break
            written.append(token)
    return written
