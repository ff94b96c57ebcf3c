"""Ollama: ``ollama serve``. Its settings are variables; its other commands fetch models."""

from quorate.admission.servers.table import Table, binds, flags, forbidden, places, plain

TABLE = Table(
    kind="ollama",
    title="Ollama",
    sources=(
        "https://docs.ollama.com/faq",
        "https://github.com/ollama/ollama/blob/main/envconfig/config.go",
    ),
    images=("ollama",),
    options=flags("-h --help"),
    variables={
        **places("OLLAMA_MODELS"),
        **binds("OLLAMA_HOST"),
        **plain(
            "OLLAMA_DEBUG OLLAMA_FLASH_ATTENTION OLLAMA_KEEP_ALIVE OLLAMA_MAX_LOADED_MODELS "
            "OLLAMA_MAX_QUEUE OLLAMA_MAX_VRAM OLLAMA_NOHISTORY OLLAMA_NOPRUNE OLLAMA_NUM_PARALLEL "
            "OLLAMA_ORIGINS OLLAMA_SCHED_SPREAD OLLAMA_TMPDIR OLLAMA_INTEL_GPU "
            "OLLAMA_CONTEXT_LENGTH OLLAMA_LOAD_TIMEOUT OLLAMA_GPU_OVERHEAD OLLAMA_KV_CACHE_TYPE "
            "OLLAMA_MULTIUSER_CACHE OLLAMA_NEW_ENGINE OLLAMA_AUTH OLLAMA_NO_CLOUD OLLAMA_VULKAN"
        ),
        **forbidden(
            "OLLAMA_RUNNERS_DIR OLLAMA_LLM_LIBRARY OLLAMA_HOME",
            "it says where programs and libraries are loaded from",
            "leave it out: the image holds them",
        ),
        **forbidden(
            "OLLAMA_REMOTES OLLAMA_REGISTRY OLLAMA_EXPERIMENT",
            "models could be fetched, or requests sent on",
            "leave it out",
        ),
    },
    families=("OLLAMA_",),
    says=frozenset({"OLLAMA_MODELS"}),
    commands=frozenset({"serve"}),
    notes="`ollama run`, `pull` and `create` fetch models: only `serve` passes, and OLLAMA_MODELS "
    "must say where the measured ones are. Pulling by request (`/api/pull`) ends at the sidecar, "
    "which passes OpenAI's paths only.",
)
