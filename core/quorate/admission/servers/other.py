"""A server that has no table: its own options pass, the ones known to load elsewhere do not.

A policy that says ``kind: other`` vouches for the image's own options. What is listed here are
names that servers share (SGLang's and those of the tables' servers); abbreviations count.
"""

from quorate.admission.servers.hugging_face import FAMILIES, LOCAL
from quorate.admission.servers.hugging_face import VARIABLES as SHARED
from quorate.admission.servers.table import Arity, Effect, Option, Table, binds, forbidden, places

_PLACES = (
    "adapter adapter-path chat-template chat-template-file config config-file control-vector "
    "draft-model draft-model-path hf-config-path lora lora-path lora-scaled m md mm mmproj model "
    "model-dir model-draft model-id model-path models-dir qlora-adapter-name-or-path "
    "speculative-draft-model-path speculative-model tokenizer tokenizer-path model-repository "
    "model-store"
)
_NAMED = "lora-adapters lora-modules lora-paths"
_FORBIDDEN = (
    "allow-remote-files custom-logit-processor docker-repo dr enable-custom-logit-processor hf "
    "hf-file hf-file-draft hf-file-v hf-repo hf-repo-draft hf-repo-v hfd hff hffv hfr hfrd hfv "
    "logits-processor-pattern logits-processors middleware mmproj-url mmu "
    "model-loader-extra-config model-url models-preset mu override-generation-plugin "
    "reasoning-parser-plugin rpc scheduler-cls speculative-config tool-parser-plugin tool-server "
    "trust-remote-code worker-cls worker-extension-cls backend-directory repoagent-directory "
    "runtime-env runtime-env-json working-dir"
)
_BINDS = "bind host hostname listen-address"
_WHY = "it loads what was not measured"


def _dashed(names: str) -> str:
    """Each name as a short and as a long option: parsers differ."""
    return " ".join(f"-{name} --{name}" for name in names.split())


_VARIABLES: dict[str, Option] = {
    **places(
        "HF_MODEL_ID LLAMA_ARG_MMPROJ LLAMA_ARG_MODEL LLAMA_ARG_MODELS_DIR "
        "LLAMA_ARG_MODEL_DRAFT MODEL_DIR MODEL_ID MODEL_PATH OLLAMA_MODELS TOKENIZER_PATH "
        "MLSERVER_MODEL_URI MLSERVER_MODEL_REPOSITORY_ROOT"
    ),
    **places("LORA_ADAPTERS", named=True),
    **binds("HOST HOSTNAME LLAMA_ARG_HOST OLLAMA_HOST VLLM_HOST MLSERVER_HOST"),
    **forbidden(
        "LLAMA_ARG_DOCKER_REPO LLAMA_ARG_HFD_REPO LLAMA_ARG_HF_FILE LLAMA_ARG_HF_REPO "
        "LLAMA_ARG_MMPROJ_URL LLAMA_ARG_MODEL_URL STORAGE_URI VLLM_ALLOW_RUNTIME_LORA_UPDATING "
        "VLLM_PLUGINS VLLM_LOGGING_CONFIG_PATH RAY_ADDRESS RAY_RUNTIME_ENV_HOOK",
        _WHY,
        LOCAL,
    ),
}

TABLE = Table(
    kind="other",
    title="Any other server",
    sources=("https://docs.sglang.ai/advanced_features/server_arguments.html",),
    images=(),
    options={
        **places(_dashed(_PLACES), Arity.MANY),
        **places(_dashed(_NAMED), Arity.MANY, named=True),
        **binds(_dashed(_BINDS)),
        **forbidden(_dashed(_FORBIDDEN), _WHY, LOCAL),
    },
    variables={
        **{name: option for name, option in SHARED.items() if option.effect is Effect.FORBIDDEN},
        **_VARIABLES,
    },
    families=tuple(family for family in FAMILIES if family in ("PIP_", "UV_")),
    commands=frozenset({"serve", "server", "start"}),
    takes_place=True,
    closed=False,
    notes="A filter, not a proof: name a kind where there is one.",
)
