"""Which targets pass: exactly the served ones, in exactly one spelling."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.policy.runtime import RuntimeRules
from quorate_sidecar.refusal import Code, Refusal
from quorate_sidecar.routes import Api, route

RULES = RuntimeRules(8000, ("/health", "/ready?full=1"), "/metrics", 1, 1, 1, ())
CHAT = Api.CHAT.value


@pytest.mark.parametrize(
    ("method", "target", "api"),
    [
        ("POST", "/v1/chat/completions", Api.CHAT),
        ("POST", "/v1/completions", Api.COMPLETIONS),
        ("POST", "/v1/embeddings", Api.EMBEDDINGS),
        ("GET", "/v1/models", Api.MODELS),
        ("GET", "/health", None),
        ("HEAD", "/health", None),
        ("GET", "/ready?full=1", None),
        ("GET", "/metrics", None),
    ],
)
@pytest.mark.requirement("sidecar: the API, declared probes and metrics pass")
def test_served_paths_pass(method: str, target: str, api: Api | None) -> None:
    """What is forwarded is the path that was asked for."""
    found = route(method, target, RULES)
    assert (found.target, found.api) == (target, api)


@pytest.mark.parametrize(
    "target",
    [
        f"/{CHAT}", f"{CHAT}/", f"{CHAT}?x=1", f"{CHAT}?", f"{CHAT}#a", f"{CHAT};a=b",
        "/v1//chat/completions", "/v1/./chat/completions", "/v1/x/../chat/completions",
        "/v1/chat%2Fcompletions", "/%76%31/chat/completions", "/v1/chat/completion%73",
        "/V1/chat/completions", "/v1/chat/Completions", "\\v1\\chat\\completions",
        "http://127.0.0.1:8000/v1/chat/completions", "//127.0.0.1/v1/chat/completions",
        "127.0.0.1:8000", "*", "", "/", "/health/", "/health?x", "/healthz", "/ready",
        "/metrics?x=1", "/v1/models/demo", "/v1/responses", "/v1/messages", "/v1/audio/speech",
        "/tokenize", "/v1/load_lora_adapter", "/api/generate", "/v1/chat/completions\x00",
        "/..", "/v1/..",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.requirement("sidecar: unknown and ambiguous paths are denied")
def test_other_targets_are_refused(method: str, target: str) -> None:
    """Other paths, other spellings and other forms of a served path do not pass."""
    with pytest.raises(Refusal) as refused:
        route(method, target, RULES)
    assert refused.value.status in (400, 404)
    assert refused.value.message.isascii()


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("GET", CHAT, "POST"),
        ("PUT", CHAT, "POST"),
        ("OPTIONS", CHAT, "POST"),
        ("CONNECT", CHAT, "POST"),
        ("HEAD", "/v1/models", "GET"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/health", "GET, HEAD"),
        ("get", "/health", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
    ],
)
def test_methods_are_exact(method: str, target: str, allow: str) -> None:
    """A served path takes its own methods only, and says which."""
    with pytest.raises(Refusal) as refused:
        route(method, target, RULES)
    assert (refused.value.code, refused.value.allow) == (Code.METHOD, allow)


def test_metrics_pass_by_policy_only() -> None:
    """Without a declared metrics path there is none."""
    rules = RuntimeRules(8000, (), None, 1, 1, 1, ())
    with pytest.raises(Refusal):
        route("GET", "/metrics", rules)
    with pytest.raises(Refusal):
        route("GET", "/health", rules)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_target_is_decided(target: str) -> None:
    """Arbitrary text is served only if it is one of the served targets, letter by letter."""
    served = {*(api.value for api in Api), *RULES.probe_paths, "/metrics"}
    try:
        found = route("GET", target, RULES)
    except Refusal:
        return
    assert found.target in served
