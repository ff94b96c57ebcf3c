"""Variables of the libraries that most servers load models with: Hugging Face, PyTorch, NCCL."""

from quorate.admission.servers.table import Option, forbidden, plain

SOURCES = (
    "https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
    "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html",
)
FAMILIES = (
    "HF_",
    "HUGGINGFACE_",
    "HUGGING_FACE_",
    "MODELSCOPE_",
    "PIP_",
    "TRANSFORMERS_",
    "UV_",
)
LOCAL = "put the files into the model, sign it, and name its path"

VARIABLES: dict[str, Option] = {
    **plain(
        "HF_HOME HF_HUB_CACHE HF_ASSETS_CACHE HF_XET_CACHE HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE "
        "HF_HUB_DISABLE_TELEMETRY HF_HUB_DISABLE_PROGRESS_BARS HF_HUB_DISABLE_SYMLINKS_WARNING "
        "HF_HUB_DISABLE_EXPERIMENTAL_WARNING HF_HUB_DISABLE_IMPLICIT_TOKEN HF_HUB_VERBOSITY "
        "HF_HUB_ENABLE_HF_TRANSFER HF_HUB_DISABLE_XET HF_XET_HIGH_PERFORMANCE HF_HUB_ETAG_TIMEOUT "
        "HF_HUB_DOWNLOAD_TIMEOUT HF_DATASETS_OFFLINE HF_DATASETS_CACHE HF_DEBUG "
        "HUGGINGFACE_HUB_CACHE HUGGINGFACE_HUB_VERBOSITY HUGGINGFACE_HUB_TOKEN "
        "HUGGING_FACE_HUB_TOKEN TRANSFORMERS_OFFLINE TRANSFORMERS_CACHE TRANSFORMERS_VERBOSITY "
        "TRANSFORMERS_NO_ADVISORY_WARNINGS"
    ),
    **forbidden(
        "HF_ENDPOINT HF_INFERENCE_ENDPOINT HUGGINGFACE_CO_STAGING MODELSCOPE_ENDPOINT "
        "MODELSCOPE_DOMAIN MODELSCOPE_CACHE",
        "it says where models are fetched from",
        LOCAL,
    ),
    **forbidden(
        "HF_MODULES_CACHE HF_DATASETS_TRUST_REMOTE_CODE HF_ALLOW_CODE_EVAL TRUST_REMOTE_CODE "
        "HF_MODEL_TRUST_REMOTE_CODE",
        "it lets code that came with a download run",
        "build the code into the server's image",
    ),
    **forbidden(
        "NCCL_NET_PLUGIN NCCL_TUNER_PLUGIN NCCL_PROFILER_PLUGIN NCCL_ENV_PLUGIN NCCL_CONF_FILE "
        "GUNICORN_CMD_ARGS UVICORN_APP CUDA_MODULE_DATA_PATH",
        "it loads a library or settings by path",
        "build it into the server's image",
    ),
}
