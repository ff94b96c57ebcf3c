"""``POST /v1/embeddings``: the answer. Numbers only: there is no text to check."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from quorate_sidecar.openai.answer import AnswerDecoder
from quorate_sidecar.openai.fields import Closed, Maybe, Name, Usage, Visitor, visit_fixed

Base64 = Annotated[str, Meta(pattern=r"^[0-9A-Za-z+/]*={0,2}$")]


class Embedding(Closed):
    """One vector: numbers, or the same as little-endian floats in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | Base64


class EmbeddingAnswer(Closed):
    """A vector for each input."""

    object: Literal["list"]
    model: Name
    data: Annotated[list[Embedding], Meta(max_length=4096)]
    usage: Maybe[Usage] = UNSET
    # vLLM adds these; the id and time are dropped.
    id: Maybe[Name] = UNSET
    created: Maybe[int] = UNSET

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor the model's name."""
        visit_fixed(visitor, "model", self.model)
        self.id = self.created = UNSET


EMBEDDING_ANSWER = AnswerDecoder(EmbeddingAnswer)
