"""Which request targets pass, decided on the exact bytes of the request line.

Nothing is decoded or normalised: a target that could mean two things to two programs (escapes,
double slashes, parameters, absolute form) is refused, and what is forwarded is this module's own
constant, never the client's text.
"""

from dataclasses import dataclass
from enum import StrEnum

from quorate.policy.runtime import RuntimeRules
from quorate_sidecar.refusal import Code, Refusal


class Api(StrEnum):
    """The API paths that are served."""

    CHAT = "/v1/chat/completions"
    COMPLETIONS = "/v1/completions"
    EMBEDDINGS = "/v1/embeddings"
    MODELS = "/v1/models"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. ``api`` is None for a declared probe or metrics path."""

    target: str
    label: str
    api: Api | None = None
    is_decision: bool = False
    """True for what people decided about a hold: it goes no further than this process."""


HOLD_DECISIONS = "/quorate/v1/hold-decisions"
"""Where people's decisions about what is held are delivered. Whoever delivers one proves nothing:
it is signed."""


_METHODS = {Api.CHAT: "POST", Api.COMPLETIONS: "POST", Api.EMBEDDINGS: "POST", Api.MODELS: "GET"}
_ROUTES = {api.value: Route(api.value, api.value, api) for api in Api}
_DECISIONS = Route(HOLD_DECISIONS, HOLD_DECISIONS, is_decision=True)
_AMBIGUOUS = ("%", "//", ";", "\\", "/./", "/../", "#")
_SHOWN = 80


def route(method: str, target: str, rules: RuntimeRules) -> Route:
    """The route of a request. Raises Refusal for any other target or method."""
    found = _ROUTES.get(target)
    if found is not None and found.api is not None:
        if method != _METHODS[found.api]:
            raise _wrong_method(target, _METHODS[found.api])
        return found
    if target == HOLD_DECISIONS:
        if method != "POST":
            raise _wrong_method(target, "POST")
        return _DECISIONS
    if target in rules.probe_paths or (rules.metrics_path and target == rules.metrics_path):
        if method not in ("GET", "HEAD"):
            raise _wrong_method("a probe", "GET, HEAD")
        label = "metrics" if target == rules.metrics_path else "probe"
        return Route(target, label)
    raise _refusal(target)


def _wrong_method(what: str, allow: str) -> Refusal:
    return Refusal(405, Code.METHOD, f"{what} takes {allow} only", allow=allow)


def _refusal(target: str) -> Refusal:
    """Say what is wrong with a target that is not served."""
    shown = ascii(target[:_SHOWN])
    if not target.startswith("/"):
        return Refusal(400, Code.MALFORMED, f"{shown} is not a path; proxy requests are refused")
    if any(part in target for part in _AMBIGUOUS) or target.endswith(("/..", "/.")):
        return Refusal(400, Code.MALFORMED, f"{shown} can be read in two ways")
    path, question, _ = target.partition("?")
    if question and path in _ROUTES:
        return Refusal(400, Code.MALFORMED, f"{path} takes no query")
    message = f"{shown} is not served here; paths for probes are declared in the SafetyPolicy"
    return Refusal(404, Code.UNKNOWN_PATH, message)
