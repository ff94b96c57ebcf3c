"""By what a model server is known in a pod that nobody labelled: a table, a row a server.

Only for finding and for messages: recognising a pod never allows or refuses it. Names of images and
variables of the servers that admission knows come from their tables; the rest is from the public
documentation of each server.
"""

from dataclasses import dataclass

from quorate.admission.servers import NAMED
from quorate.admission.servers.hugging_face import FAMILIES


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for one server."""

    kind: str
    images: tuple[str, ...] = ()
    """Parts of the names of its images, in lower case."""
    programs: tuple[str, ...] = ()
    """Words of a command line that only this server has: its program, its module."""
    families: tuple[str, ...] = ()
    """Prefixes of its own variables."""
    ports: tuple[int, ...] = ()
    """Ports it listens on by default. Alone they say little."""
    labels: tuple[str, ...] = ()
    """Labels that its controller puts on pods."""


_PROGRAMS: dict[str, tuple[str, ...]] = {
    "vllm": ("vllm", "vllm.entrypoints.openai.api_server"),
    "tgi": ("text-generation-launcher", "text-generation-server"),
    "llama-cpp": ("llama-server", "llama_cpp.server"),
    "ollama": ("ollama",),
    "triton": ("tritonserver",),
    "kserve": ("huggingfaceserver", "storage-initializer"),
    "ray-serve": ("serve", "ray.serve"),
    "seldon": ("mlserver",),
}
_PORTS: dict[str, tuple[int, ...]] = {
    "vllm": (8000,),
    "tgi": (80, 3000),
    "llama-cpp": (8080,),
    "ollama": (11434,),
    "triton": (8000, 8001, 8002),
    "kserve": (8080, 8081),
    "ray-serve": (8000, 8265),
    "seldon": (8080, 8081, 9000),
}
_LABELS: dict[str, tuple[str, ...]] = {
    "kserve": ("serving.kserve.io/inferenceservice",),
    "ray-serve": ("ray.io/cluster", "ray.io/serve"),
    "seldon": ("seldon-deployment-id", "seldon.io/model", "seldon-server-name"),
}
_ANYBODYS = frozenset((*FAMILIES, "STORAGE_"))
"""Families that other programs use as well."""
_OTHERS: tuple[Signs, ...] = (
    Signs("sglang", ("sglang",), ("sglang.launch_server",), ("SGLANG_", "SGL_"), (30000,)),
    Signs("lmdeploy", ("lmdeploy",), ("lmdeploy",), ("LMDEPLOY_",), (23333,)),
    Signs("localai", ("localai",), ("local-ai",), ("LOCALAI_",), (8080,)),
    Signs("nim", ("nvcr.io/nim/",), (), ("NIM_",), (8000,)),
    Signs("tensorrt-llm", ("tensorrt-llm", "tensorrt_llm"), ("trtllm-serve",), ("TRTLLM_",)),
    Signs("tei", ("text-embeddings-inference",), ("text-embeddings-router",), (), (80, 3000)),
    Signs("infinity", ("michaelf34/infinity",), ("infinity_emb",), ("INFINITY_",), (7997,)),
    Signs("torchserve", ("pytorch/torchserve", "torchserve"), ("torchserve",), ("TS_",), (8080,)),
    Signs(
        "tensorflow-serving",
        ("tensorflow/serving",),
        ("tensorflow_model_server",),
        ("TF_SERVING_",),
        (8500, 8501),
    ),
    Signs("openvino", ("openvino/model_server",), ("ovms",), (), (9000,)),
    Signs("bentoml", ("bentoml",), ("bentoml",), ("BENTOML_",), (3000,)),
    Signs("fastchat", ("fastchat",), ("fastchat.serve.openai_api_server",), (), (21002,)),
    Signs("mlc-llm", ("mlc-llm", "mlc_llm"), ("mlc_llm",), ("MLC_",)),
    Signs("xinference", ("xinference",), ("xinference-local",), ("XINFERENCE_",), (9997,)),
    Signs("aphrodite", ("aphrodite-engine",), ("aphrodite",), ("APHRODITE_",), (2242,)),
)


def _known() -> tuple[Signs, ...]:
    """The servers admission has tables for; a family of variables speaks for the first that has it.

    KServe's table takes in vLLM's, which it runs.
    """
    own: dict[str, str] = {}
    for table in NAMED:
        for family in table.families:
            if family not in _ANYBODYS:
                own.setdefault(family, table.kind)
    return tuple(
        Signs(
            table.kind,
            table.images,
            _PROGRAMS.get(table.kind, ()),
            tuple(family for family, kind in own.items() if kind == table.kind),
            _PORTS.get(table.kind, ()),
            _LABELS.get(table.kind, ()),
        )
        for table in NAMED
    )


SIGNS: tuple[Signs, ...] = (*_known(), *_OTHERS)

ACCELERATORS: tuple[str, ...] = (
    "nvidia.com/gpu",
    "nvidia.com/mig-",
    "amd.com/gpu",
    "gpu.intel.com/",
    "habana.ai/gaudi",
    "google.com/tpu",
    "aws.amazon.com/neuron",
    "huawei.com/Ascend",
)
"""Extended resources of accelerators, or their prefixes."""

MODEL_VARIABLES: tuple[str, ...] = (
    "HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_MODEL_ID", "MODEL_ID",
    "HUGGING_FACE_HUB_TOKEN", "MODEL_NAME", "MODEL_PATH", "SERVED_MODEL_NAME",
    "TRANSFORMERS_CACHE", "TRANSFORMERS_OFFLINE",
)  # fmt: skip
"""Variables by which servers of models are told what to load, whichever they are."""

MODEL_OPTIONS: tuple[str, ...] = (
    "--model", "--model-id", "--model-path", "--model-name", "--served-model-name",
    "--model-repository", "--model-store", "--tensor-parallel-size", "--max-model-len",
)  # fmt: skip
"""Options that servers of models take, whichever they are."""

MODEL_PLACES: tuple[str, ...] = ("/models", "/model", ".cache/huggingface", "/.ollama")
"""How paths end, or what they lie under, where models are usually mounted."""
