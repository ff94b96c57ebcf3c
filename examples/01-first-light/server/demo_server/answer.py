"""Puts the pieces of a generation into the bodies of an answer."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from demo_server.bodies import Body, Completion
from demo_server.engine import Engine
from demo_server.model import Sampling


@dataclass(frozen=True, slots=True)
class Question:
    """One request, ready for the engine."""

    completion: Completion
    prompt: Sequence[int]
    sampling: Sampling
    include_usage: bool


async def whole(engine: Engine, question: Question) -> Body:
    """Returns the answer in one body; raises Busy when the engine is."""
    text, tokens, finish_reason = "", 0, "length"
    async with aclosing(engine.stream(question.prompt, question.sampling)) as pieces:
        async for piece in pieces:
            text += piece.text
            tokens += piece.tokens
            finish_reason = piece.finish_reason or finish_reason
    return question.completion.whole(text, finish_reason, tokens)


async def chunks(engine: Engine, question: Question) -> AsyncGenerator[Body, None]:
    """Yields the answer in chunks; raises Busy before the first one when the engine is."""
    tokens, completion = 0, question.completion
    async with aclosing(engine.stream(question.prompt, question.sampling)) as pieces:
        async for piece in pieces:
            if tokens == 0 and (first := completion.first()):
                yield first
            tokens += piece.tokens
            if piece.text:
                yield completion.part(piece.text)
            if piece.finish_reason:
                yield completion.last(piece.finish_reason)
    if question.include_usage:
        yield completion.usage(tokens)
