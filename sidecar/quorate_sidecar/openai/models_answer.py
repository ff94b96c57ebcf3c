"""``GET /v1/models``: the answer. Of what a server says about a model, OpenAI's fields pass."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from quorate_sidecar.openai.answer import AnswerDecoder
from quorate_sidecar.openai.fields import Maybe, Name, Visitor, visit_fixed


class Model(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One model. Servers describe theirs at length; unknown fields are dropped, not refused."""

    id: Name
    object: Literal["model"]
    created: Maybe[int] = UNSET
    owned_by: Maybe[Name] = UNSET


class ModelsAnswer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """All models."""

    object: Literal["list"]
    data: Annotated[list[Model], Meta(max_length=1024)]

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor the names."""
        for model in self.data:
            visit_fixed(visitor, "id", model.id)
            visit_fixed(visitor, "owned_by", model.owned_by)


MODELS_ANSWER = AnswerDecoder(ModelsAnswer)
