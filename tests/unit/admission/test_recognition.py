"""Model servers are recognised by what speaks for them, and nothing else is."""

from typing import Any

import pytest

from quorate import names
from quorate.admission.recognition import Confidence, recognise
from quorate.admission.servers import NAMED
from quorate.admission.servers.signs import SIGNS

Container = dict[str, Any]


def pod(*containers: Container, **labels: str) -> dict[str, Any]:
    """A pod of these containers."""
    return {
        "metadata": {"name": "x", "namespace": "team-b", "labels": labels},
        "spec": {"containers": [{"name": f"c{i}"} | c for i, c in enumerate(containers)]},
    }


GPU = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}


@pytest.mark.requirement("inventory recognises model servers")
@pytest.mark.parametrize(
    ("container", "kind", "confidence", "why"),
    [
        ({"image": "docker.io/vllm/vllm-openai:v1"}, "vllm", "high", "image docker.io/vllm"),
        ({"image": "mirror/x", "args": ["vllm", "serve", "m"]}, "vllm", "high", "runs vllm"),
        ({"image": "x", "command": ["sh", "-c", "ollama serve"]}, "ollama", "high", "runs ollama"),
        ({"image": "ghcr.io/huggingface/text-generation-inference:3"}, "tgi", "high", "image"),
        ({"image": "ghcr.io/ggml-org/llama.cpp:server"}, "llama-cpp", "high", "image"),
        ({"image": "nvcr.io/nvidia/tritonserver:25"}, "triton", "high", "image"),
        ({"image": "lmsysorg/sglang:latest"}, "sglang", "high", "image"),
        ({"image": "x", "env": [{"name": "OLLAMA_HOST", "value": "a"}]}, "ollama", "medium", "OLL"),
        ({"image": "trainer"} | GPU, "", "medium", "requests nvidia.com/gpu"),
        (
            {"image": "trainer", "resources": {"requests": {"nvidia.com/mig-1g.5gb": 1}}},
            *("", "medium", "requests nvidia.com/mig"),
        ),
        ({"image": "x", "args": ["--model-path", "/m"]} | GPU, "", "medium", "--model-path"),
        (
            {"image": "x", "volumeMounts": [{"name": "m", "mountPath": "/models/a"}],
             "env": [{"name": "HF_TOKEN"}]},
            *("", "low", "mounts /models/a"),
        ),
    ],
)  # fmt: skip
def test_signs(container: Container, kind: str, confidence: str, why: str) -> None:
    """Image, program, variables, accelerators, arguments and mounts speak, each with a reason."""
    found = recognise(pod(container))
    assert found is not None
    assert (found.kind, found.confidence) == (kind, confidence)
    assert any(why in reason for reason in found.why)
    assert found.image == container["image"]


@pytest.mark.parametrize(
    "container",
    [
        {"image": "nginx:1", "ports": [{"containerPort": 80}]},
        {"image": "python:3", "ports": [{"containerPort": 8000}], "command": ["python", "app.py"]},
        {"image": "postgres:17", "env": [{"name": "PGDATA", "value": "/data"}]},
        {"image": "x", "resources": {"limits": {"nvidia.com/gpu": "0"}}},
        {"image": "server", "args": ["serve"]},
        {},
    ],
)
def test_ordinary_pods_are_not_listed(container: Container) -> None:
    """A web server, a database, a port alone, a GPU count of none."""
    assert recognise(pod(container)) is None


def test_a_label_makes_it_certain() -> None:
    """A pod that names its model is one, whatever it is made of."""
    found = recognise(pod({"image": "x"}, **{names.MODEL_LABEL: "demo"}))
    assert found is not None
    assert found.confidence is Confidence.CERTAIN


def test_the_same_thing_said_twice_counts_once() -> None:
    """Ten containers with one port are no more a model server than one."""
    assert recognise(pod(*({"ports": [{"containerPort": 8080}]} for _ in range(10)))) is None


@pytest.mark.parametrize(
    ("container", "serves"),
    [
        ({"image": "vllm/vllm", "args": ["--model=org/name"]}, "org/name"),
        ({"image": "vllm/vllm", "args": ["serve", "org/name", "--port", "1"]}, "org/name"),
        ({"image": "tgi", "args": ["--model-id", "org/name"]} | GPU, "org/name"),
        ({"image": "x", "env": [{"name": "MODEL_ID", "value": "org/name"}]} | GPU, "org/name"),
        ({"image": "ollama/ollama", "args": ["--model"]}, ""),
    ],
)
def test_what_it_loads(container: Container, serves: str) -> None:
    """As its own arguments and variables say."""
    found = recognise(pod(container))
    assert found is not None
    assert found.serves == serves


def test_every_table_has_signs() -> None:
    """A server that admission has a table for is found by its image, its program and a label or
    variables; no two rows are for the same server."""
    kinds = [signs.kind for signs in SIGNS]
    assert len(kinds) == len(set(kinds))
    for table in NAMED:
        signs = SIGNS[kinds.index(table.kind)]
        assert signs.images == table.images
        assert signs.programs
