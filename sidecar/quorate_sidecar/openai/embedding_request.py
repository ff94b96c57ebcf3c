"""``POST /v1/embeddings``: the request."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from quorate_sidecar.openai.fields import (
    Closed,
    Maybe,
    Name,
    Tokens,
    Visitor,
    visit_fixed,
    visit_texts,
)
from quorate_sidecar.openai.strict import StrictDecoder


class EmbeddingRequest(Closed):
    """Inputs are text: token numbers cannot be checked, so they are refused by type."""

    model: Name
    input: str | Annotated[list[str], Meta(min_length=1, max_length=4096)]
    dimensions: Maybe[Tokens] = UNSET
    encoding_format: Maybe[Literal["float", "base64"]] = UNSET
    user: Maybe[str] = UNSET

    @property
    def streams(self) -> bool:
        """Embeddings never stream."""
        return False

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor every text that reaches the model or its server."""
        if isinstance(self.input, str):
            self.input = visitor.prose("input", self.input)
        else:
            self.input = visit_texts(visitor, "input", self.input)
        visitor.fixed("model", self.model)
        visit_fixed(visitor, "user", self.user)


EMBEDDING_REQUEST = StrictDecoder(EmbeddingRequest)
