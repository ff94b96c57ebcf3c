"""Arguments and variables by which a server without a table loads something else."""

import tracemalloc
from typing import Any

import pytest

from quorate.admission import validate
from quorate.admission.rules.arguments import TOLD_CHARS, remembered
from quorate.verdict import Reason
from tests.fakes.vouching import policy
from tests.unit.admission.pod_builder import PodBuilder
from tests.unit.admission.world import FLOOR, World


def world_of(kind: str) -> World:
    """The usual world, where the policy says which server its image is."""
    world = World()
    server = FLOOR["model"]["servers"][0] | {"kind": kind}
    world.put_policy(policy(FLOOR | {"model": FLOOR["model"] | {"servers": [server]}}))
    world.put_model()
    return world


WORLD = world_of("other")
GOOD = PodBuilder(WORLD.snapshot)
EVERY = "0.0.0.0"  # noqa: S104 - to see it refused
WILDCARDS = (EVERY, "::", "[::]", "*", f"{EVERY}:8000", ":8000", f"http://{EVERY}:1")


def denials(args: list[str], env: list[dict[str, Any]] | None = None) -> list[Reason]:
    """Why a server with these arguments and variables is refused."""

    def change(pod: dict[str, Any]) -> None:
        pod["spec"]["containers"][0] |= {"args": args, "env": env or []}

    verdict = validate.create(GOOD.written(change).build(), WORLD.snapshot).verdict
    return [denial.reason for denial in verdict.denials]


@pytest.mark.parametrize(
    "args",
    [
        ["--model", "other/model"],
        ["--model=other/model"],
        ["-m", "/tmp/model.gguf"],
        ["--model", "/models/../tmp/x"],
        ["--model", "/modelsX"],
        ["--model", "/models", "--tokenizer", "other/model"],
        ["--model", "/models", "--lora-modules", "a=/models/a", "b=/tmp/b"],
        ["--model", "/models", '--lora-modules={"name":"a","path":"/tmp/a"}'],
        ["--mod", "other/model"],
        ["--model_path", "other/model"],
        ["--config.file=/tmp/c.yaml"],
        ["--model", "/models", "--trust-remote-code"],
        ["--model", "/models", "--trust_remote_code=true"],
        ["--model", "/models", "--trust-rem"],
        ["-hf", "other/model"],
        ["--hf-repo", "other/model"],
        ["--model-url", "https://example.com/m"],
        ["--model", "/models", "--middleware", "evil.module"],
        ["--model", "/models", "--speculative-config", "{}"],
        ["other/model"],
        ["serve", "other/model"],
        ["gpt2"],
        ["/bin/sh", "-c", "id"],
        ["sh"],
        ["--port", "8000", "--", "gpt2"],
        ["$(MODEL)"],
        ["--model", "$(MODEL)"],
    ],
    ids=" ".join,
)
def test_loading_elsewhere_is_refused(args: list[str]) -> None:
    """Weights, adapters, tokenizers, templates or code from outside the measured model."""
    assert set(denials(args)) == {Reason.SERVER_NOT_ALLOWED}


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--model", "/models"],
        ["--model=/models/"],
        ["-m", "/models/model.gguf"],
        ["serve", "--model", "/models", "--port", "8000"],
        ["/models"],
        ["--model", "/models", "--served-model-name", "a", "b"],
        ["--model", "/models", "--reasoning-parser", "deepseek_r1"],
        ["--model", "/models", "--max-model-len", "4096", "--enable-auto-tool-choice"],
        ["--lora-modules", "a=/models/a", "b=/models/b"],
        ["--host", "127.0.0.1"],
        ["--host=::1"],
    ],
    ids=" ".join,
)
def test_serving_the_measured_model_passes(args: list[str]) -> None:
    """Common ways to start the servers people use are no reason to refuse."""
    assert denials(args) == []


def test_references_are_expanded_as_the_kubelet_does() -> None:
    """An option hidden in a variable is seen; a place in a variable is accepted if it is inside."""
    hidden = [{"name": "X", "value": "--trust-remote-code"}]
    assert denials(["--model", "/models", "$(X)"], hidden) == [Reason.SERVER_NOT_ALLOWED]
    inside = [{"name": "WHERE", "value": "/models/v2"}]
    assert denials(["--model", "$(WHERE)"], inside) == []
    elsewhere = {"name": "WHERE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert set(denials(["--model", "$(WHERE)"], [elsewhere])) == {Reason.SERVER_NOT_ALLOWED}
    assert denials(["--model", "/models", "--name=$(WHERE)"], [elsewhere]) == []


@pytest.mark.parametrize("arg", ["$(X)", "-$(X)", "--$(X)=1", "$(X)rust-remote-code"])
def test_an_option_from_elsewhere_is_refused(arg: str) -> None:
    """What a secret holds cannot be read here, so it must not decide which option is meant."""
    env = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    assert denials(["--port", "8000", arg], env) == [Reason.SERVER_NOT_ALLOWED]
    # The last one of a name counts.
    assert denials(["--port", "8000", arg], [{"name": "X", "value": "--y"}, *env]) == [
        Reason.SERVER_NOT_ALLOWED
    ]


def test_variables_refer_to_earlier_ones() -> None:
    """Two references are followed as the kubelet does, in order."""
    chain = [{"name": "A", "value": "--trust-remote-code"}, {"name": "B", "value": "$(A)"}]
    assert denials(["--port", "8000", "$(B)"], chain) == [Reason.SERVER_NOT_ALLOWED]
    assert denials(["--port", "8000", "$(B)"], chain[::-1]) == [Reason.SERVER_NOT_ALLOWED]


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "MODEL_ID", "value": "other/model"},
        {"name": "OLLAMA_MODELS", "value": "/tmp"},
        {"name": "LLAMA_ARG_HF_REPO", "value": "other/model"},
        {"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "1"},
        {"name": "TRUST_REMOTE_CODE", "value": "true"},
        {"name": "MODEL_ID", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
    ],
    ids=lambda variable: variable["name"],
)
def test_variables_that_load_elsewhere_are_refused(variable: dict[str, Any]) -> None:
    """What an option can do, a variable can."""
    assert denials(["--port", "8000"], [variable]) == [Reason.SERVER_NOT_ALLOWED]


@pytest.mark.requirement("model bound to the wildcard → refused with the remedy")
@pytest.mark.parametrize("host", WILDCARDS)
def test_binding_every_address_is_refused_with_the_remedy(host: str) -> None:
    """The sidecar has the pod's addresses; the denial says where the server belongs."""

    def change(pod: dict[str, Any]) -> None:
        pod["spec"]["containers"][0]["args"] = ["--host", host]

    verdict = validate.create(GOOD.written(change).build(), WORLD.snapshot).verdict
    assert [denial.reason for denial in verdict.denials] == [Reason.PORT_NOT_DECLARED]
    assert "--host 127.0.0.1" in verdict.text()
    assert denials([], [{"name": "OLLAMA_HOST", "value": host}]) == [Reason.PORT_NOT_DECLARED]


def test_variables_that_double_each_other_are_refused_at_once() -> None:
    """Forty variables, each twice the one before, would be larger than any memory: no program could
    be started with them, and nobody here works them out."""
    env = [{"name": "V0", "value": "x" * 1000}]
    env += [{"name": f"V{n}", "value": f"$(V{n - 1})" * 2} for n in range(1, 41)]
    assert set(denials(["--model", "$(V40)"], env)) == {Reason.SERVER_NOT_ALLOWED}
    assert denials(["--model", "/models", "--whatever=$(V40)"], env) == []
    assert denials(["--model", "/models"], [*env, {"name": "MODEL_ID", "value": "$(V40)"}]) != []


def test_thousands_of_large_variables_take_no_memory() -> None:
    """Each within its bound; all of them together are more than any program is started with."""
    env = [{"name": "V", "value": "x" * 100_000}]
    env += [{"name": f"W{n}", "value": f"{n}$(V)"} for n in range(2000)]
    tracemalloc.start()
    try:
        assert denials(["--model", "/models", "--whatever=$(W9)"], env) == []
        assert denials(["--model", "/models", *["--whatever=1$(V)"] * 2000], env) != []
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_what_is_large_is_not_remembered() -> None:
    """Hundreds of pods with a megabyte of arguments each leave nothing behind."""
    denials(["--model", "/models", "--whatever", "small"])
    before = remembered.cache_info().currsize
    for number in range(4):
        assert denials(["--model", "/models", "--whatever", f"{number}" * TOLD_CHARS]) == []
        assert (
            denials(["--model", "/models"], [{"name": "X", "value": f"{number}" * TOLD_CHARS}])
            == []
        )
    assert remembered.cache_info().currsize == before
