"""``POST /v1/completions``: the request."""

from typing import Annotated

from msgspec import UNSET, Meta

from quorate_sidecar.openai.chat_request import refused_logprobs
from quorate_sidecar.openai.fields import (
    Choices,
    Closed,
    LogitBias,
    Maybe,
    Name,
    Penalty,
    Seed,
    Share,
    Stop,
    StreamOptions,
    Temperature,
    Tokens,
    Visitor,
    visit_fixed,
    visit_texts,
)
from quorate_sidecar.openai.strict import StrictDecoder


class CompletionRequest(Closed):
    """Prompts are text: token numbers cannot be checked, so they are refused by type."""

    model: Name
    prompt: str | Annotated[list[str], Meta(min_length=1, max_length=1024)]
    best_of: Maybe[Choices] = UNSET
    echo: Maybe[bool] = UNSET
    frequency_penalty: Maybe[Penalty] = UNSET
    logit_bias: Maybe[LogitBias] = UNSET
    logprobs: Maybe[Tokens] = UNSET
    max_tokens: Maybe[Tokens] = UNSET
    min_p: Maybe[Share] = UNSET
    min_tokens: Maybe[Tokens] = UNSET
    n: Maybe[Choices] = UNSET
    presence_penalty: Maybe[Penalty] = UNSET
    repetition_penalty: Maybe[Temperature] = UNSET
    seed: Maybe[Seed] = UNSET
    stop: Maybe[Stop] = UNSET
    stream: Maybe[bool] = UNSET
    stream_options: Maybe[StreamOptions] = UNSET
    suffix: Maybe[str] = UNSET
    temperature: Maybe[Temperature] = UNSET
    top_k: Maybe[Annotated[int, Meta(ge=-1, le=2**31)]] = UNSET
    top_p: Maybe[Share] = UNSET
    user: Maybe[str] = UNSET

    @property
    def streams(self) -> bool:
        """True if the client wants events."""
        return self.stream is True

    def visit(self, visitor: Visitor) -> None:
        """Show the visitor every text that reaches the model or its server."""
        if isinstance(self.prompt, str):
            self.prompt = visitor.prose("prompt", self.prompt)
        else:
            self.prompt = visit_texts(visitor, "prompt", self.prompt)
        if self.suffix:
            self.suffix = visitor.prose("suffix", self.suffix)
        visitor.fixed("model", self.model)
        visit_fixed(visitor, "stop", self.stop)
        visit_fixed(visitor, "user", self.user)
        if self.logprobs is not UNSET and self.logprobs is not None:
            raise refused_logprobs()


COMPLETION_REQUEST = StrictDecoder(CompletionRequest)
