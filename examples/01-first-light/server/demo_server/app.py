"""The HTTP side: routes, streaming, errors and metrics."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from aiohttp import web

from demo_server.answer import Question, chunks, whole
from demo_server.bodies import Completion, error_body, model_list
from demo_server.engine import Busy, Engine
from demo_server.model import Sampling
from demo_server.wire import (
    BadRequest,
    Options,
    parse_body,
    parse_messages,
    parse_options,
    parse_prompt,
)

BODY_BYTES_MAX = 256 * 1024
RETRY_AFTER_SECONDS = "1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ChatServer:
    """Answers requests for one model."""

    def __init__(self, engine: Engine, *, name: str) -> None:
        self._engine = engine
        self._name = name
        self._answers: Counter[int] = Counter()

    def application(self) -> web.Application:
        """Returns the application; run it with `handler_cancellation=True`, so that a client
        that goes away ends its generation.
        """
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._answer_errors])
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.on_cleanup.append(self._close)
        return app

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        document = parse_body(await request.read())
        options = parse_options(document)
        prompt = self._engine.model.tokenizer.chat(parse_messages(document))
        return await self._answer(request, options, prompt, chat=True)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        document = parse_body(await request.read())
        options = parse_options(document)
        prompt = self._engine.model.tokenizer.text(parse_prompt(document))
        return await self._answer(request, options, prompt, chat=False)

    async def _answer(
        self, request: web.Request, options: Options, prompt: Sequence[int], *, chat: bool
    ) -> web.StreamResponse:
        if options.model != self._name:
            message = f"the model {options.model!r} does not exist; this server has {self._name!r}"
            raise BadRequest(message, parameter="model", status=404)
        question = Question(
            completion=Completion(self._name, chat, prompt_tokens=len(prompt)),
            prompt=prompt,
            sampling=Sampling(options.tokens_max, options.temperature, options.seed),
            include_usage=options.include_usage,
        )
        if options.stream:
            return await self._stream(request, question)
        return web.json_response(await whole(self._engine, question))

    async def _stream(self, request: web.Request, question: Question) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        async with aclosing(chunks(self._engine, question)) as parts:
            async for part in parts:
                # Prepared late: a busy server can still answer with a status code.
                if not response.prepared:
                    await response.prepare(request)
                await response.write(b"data: " + json.dumps(part).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response(model_list(self._name))

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _metrics(self, _request: web.Request) -> web.Response:
        lines = [
            "# TYPE demo_generations_running gauge",
            f"demo_generations_running {self._engine.running}",
            "# TYPE demo_tokens_total counter",
            f"demo_tokens_total {self._engine.tokens_total}",
            "# TYPE demo_answers_total counter",
            *(f'demo_answers_total{{code="{c}"}} {n}' for c, n in sorted(self._answers.items())),
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    @web.middleware
    async def _answer_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turns refusals into the error form of the API, and counts every answer."""
        response: web.StreamResponse
        try:
            response = await handler(request)
        except BadRequest as error:
            body = error_body(
                error.message, kind="invalid_request_error", parameter=error.parameter
            )
            response = web.json_response(body, status=error.status)
        except Busy:
            body = error_body("too many requests are running", kind="rate_limit_error")
            headers = {"Retry-After": RETRY_AFTER_SECONDS}
            response = web.json_response(body, status=429, headers=headers)
        except web.HTTPException as error:
            body = error_body(error.reason, kind="invalid_request_error")
            response = web.json_response(body, status=error.status)
        self._answers[response.status] += 1
        return response

    async def _close(self, _app: web.Application) -> None:
        self._engine.close()
