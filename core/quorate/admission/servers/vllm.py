"""vLLM: ``vllm serve`` and ``python -m vllm.entrypoints.openai.api_server``."""

from quorate.admission.servers.hugging_face import FAMILIES, LOCAL
from quorate.admission.servers.hugging_face import VARIABLES as SHARED
from quorate.admission.servers.table import (
    Arity,
    Option,
    Table,
    binds,
    flags,
    forbidden,
    places,
    plain,
    words,
)

_IN_IMAGE = "build it into the server's image and let the image's entry point name it"

_LOADING: dict[str, Option] = {
    **places(
        "--model --tokenizer --hf-config-path --chat-template --qlora-adapter-name-or-path "
        "--speculative-model --quantization-param-path"
    ),
    **places("--lora-modules --prompt-adapters", Arity.MANY, named=True),
    **words("--generation-config", "auto vllm", or_place=True),
    **words(
        "--load-format",
        "auto pt safetensors npcache dummy sharded_state gguf bitsandbytes mistral fastsafetensors",
        why="other formats stream the weights from elsewhere",
    ),
    **words("--tokenizer-mode", "auto slow mistral hf", why="it runs a tokenizer by name"),
    **words(
        "--distributed-executor-backend",
        "mp uni",
        why="it takes workers from elsewhere, or a class",
    ),
    **words("--model-impl", "auto vllm transformers terratorch"),
    **words("-O --compilation-config -cc", "0 1 2 3", why="as an object it names code to run"),
    **forbidden(
        "--trust-remote-code",
        "it runs code that comes with the model",
        "build the code into the server's image, or use a model vLLM knows",
        Arity.FLAG,
    ),
    **forbidden(
        "--config",
        "what a file of options says cannot be seen here",
        "write the options as arguments",
    ),
    **forbidden(
        "--tool-parser-plugin --reasoning-parser-plugin --io-processor-plugin --middleware "
        "--worker-cls --worker-extension-cls --scheduler-cls --logits-processor-pattern "
        "--kv-transfer-config --ec-transfer-config --kv-events-config --additional-config "
        "--structured-outputs-config --plugin-config --weight-transfer-config --profiler-config",
        "it runs code by name or path, or moves state to and from elsewhere",
        _IN_IMAGE,
    ),
    **forbidden("--logits-processors", "it runs code by name", _IN_IMAGE, Arity.MANY),
    **forbidden(
        "--speculative-config -sc --model-loader-extra-config --tokenizer-pool-extra-config "
        "--hf-overrides --download-dir --revision --code-revision --tokenizer-revision --hf-token",
        "it decides what is fetched, or names a second model",
        LOCAL,
    ),
    **forbidden(
        "--tool-server --allowed-local-media-path --log-config-file --otlp-traces-endpoint",
        "it reaches beyond the model: other servers, other files, classes by name",
        "leave it out",
    ),
    **forbidden(
        "--trust-request-chat-template --enable-tokenizer-info-endpoint",
        "a request could then bring its own template",
        "leave it out",
        Arity.FLAG,
    ),
    **forbidden("--uds --data-parallel-address -dpa", "it serves past the sidecar", "leave it out"),
}
_PLAIN: dict[str, Option] = {
    **binds("--host"),
    **plain(
        "--port --dtype --max-model-len --seed --task --runner --convert --tensor-parallel-size "
        "-tp --pipeline-parallel-size -pp --data-parallel-size -dp --block-size "
        "--gpu-memory-utilization --swap-space --cpu-offload-gb --num-gpu-blocks-override "
        "--max-num-batched-tokens --max-num-seqs --max-logprobs --quantization -q "
        "--kv-cache-dtype --max-loras --max-lora-rank --max-cpu-loras --lora-dtype "
        "--lora-extra-vocab-size --device --config-format --rope-scaling --rope-theta "
        "--max-seq-len-to-capture --limit-mm-per-prompt --mm-processor-kwargs "
        "--num-scheduler-steps --scheduler-delay-factor --num-lookahead-slots "
        "--max-parallel-loading-workers --guided-decoding-backend --preemption-mode "
        "--scheduling-policy --override-generation-config --override-pooler-config "
        "--uvicorn-log-level --root-path --response-role --chat-template-content-format "
        "--default-chat-template-kwargs --tool-call-parser --reasoning-parser --max-log-len "
        "--ssl-keyfile --ssl-certfile --ssl-ca-certs --ssl-cert-reqs --ssl-ciphers "
        "--api-server-count -asc --disable-access-log-for-endpoints --kv-cache-memory-bytes "
        "--max-num-partial-prefills --max-long-partial-prefills --long-prefill-token-threshold "
        "--prefix-caching-hash-algo --attention-backend "
        "--fingerprint-mode --fingerprint-value --h11-max-incomplete-event-size "
        "--h11-max-header-count --num-speculative-tokens --stream-interval "
        "--mm-processor-cache-gb --video-pruning-rate --logprobs-mode"
    ),
    **plain("--served-model-name --cuda-graph-sizes --allowed-media-domains", Arity.MANY),
    **plain("--allowed-origins --allowed-methods --allowed-headers --api-key", Arity.UNSURE),
    **flags(
        # A value may follow in old releases, where it is true or false; in new ones a word there
        # is the model.
        "--enable-chunked-prefill "
        "--enforce-eager --enable-prefix-caching --no-enable-prefix-caching "
        "--no-enable-chunked-prefill --enable-lora --no-enable-lora --enable-lora-bias "
        "--fully-sharded-loras --enable-auto-tool-choice --enable-reasoning "
        "--disable-log-stats --disable-log-requests --enable-log-requests "
        "--no-enable-log-requests --disable-uvicorn-access-log --disable-fastapi-docs "
        "--disable-sliding-window --disable-custom-all-reduce --disable-cascade-attn "
        "--disable-async-output-proc --disable-frontend-multiprocessing --skip-tokenizer-init "
        "--enable-sleep-mode --calculate-kv-scales --allow-credentials "
        "--enable-request-id-headers --return-tokens-as-token-ids --enable-prompt-tokens-details "
        "--enable-server-load-tracking --enable-force-include-usage --enable-log-outputs "
        "--exclude-tools-when-tool-choice-none --enable-ssl-refresh --async-scheduling "
        "--no-async-scheduling --no-trust-remote-code --enable-expert-parallel -ep "
        "--use-tqdm-on-load --no-use-tqdm-on-load --language-model-only --enable-prompt-embeds "
        "--disable-hybrid-kv-cache-manager --enable-eplb --use-v2-block-manager "
        "--disable-mm-preprocessor-cache --enable-per-request-metrics --log-error-stack"
    ),
}
_VARIABLES: dict[str, Option] = {
    **SHARED,
    **plain(
        "VLLM_API_KEY VLLM_LOGGING_LEVEL VLLM_CONFIGURE_LOGGING VLLM_LOGGING_PREFIX "
        "VLLM_LOGGING_STREAM VLLM_LOG_STATS_INTERVAL VLLM_CACHE_ROOT VLLM_CONFIG_ROOT "
        "VLLM_NO_USAGE_STATS VLLM_DO_NOT_TRACK VLLM_USAGE_SOURCE VLLM_USE_V1 "
        "VLLM_ATTENTION_BACKEND VLLM_WORKER_MULTIPROC_METHOD VLLM_ENABLE_V1_MULTIPROCESSING "
        "VLLM_CPU_KVCACHE_SPACE VLLM_CPU_OMP_THREADS_BIND VLLM_CPU_NUM_OF_RESERVED_CPU "
        "VLLM_CPU_SGL_KERNEL VLLM_TARGET_DEVICE VLLM_ENGINE_ITERATION_TIMEOUT_S "
        "VLLM_RPC_TIMEOUT VLLM_HTTP_TIMEOUT_KEEP_ALIVE VLLM_KEEP_ALIVE_ON_ENGINE_DEATH "
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN VLLM_FLASH_ATTN_VERSION VLLM_USE_FLASHINFER_SAMPLER "
        "VLLM_USE_TRITON_FLASH_ATTN VLLM_SKIP_P2P_CHECK VLLM_USE_DEEP_GEMM VLLM_MOE_DP_CHUNK_SIZE "
        "VLLM_USE_PRECOMPILED VLLM_DISABLE_COMPILE_CACHE VLLM_SERVER_GRACE_PERIOD "
        "VLLM_IMAGE_FETCH_TIMEOUT VLLM_VIDEO_FETCH_TIMEOUT VLLM_AUDIO_FETCH_TIMEOUT "
        "VLLM_TOOL_PARSE_REGEX_TIMEOUT_SECONDS VLLM_MARLIN_USE_ATOMIC_ADD VLLM_USE_AITER "
        "VLLM_ROCM_USE_AITER VLLM_USE_STANDALONE_COMPILE VLLM_SLEEP_WHEN_IDLE"
    ),
    **binds("VLLM_HOST VLLM_HOST_IP"),
    **places("VLLM_TUNED_CONFIG_FOLDER"),
    **forbidden(
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING VLLM_LORA_RESOLVER_CACHE_DIR "
        "VLLM_LORA_RESOLVER_HF_REPO_LIST",
        "adapters could be loaded while it serves (/v1/load_lora_adapter)",
        "put the adapters into the model and name them in --lora-modules",
    ),
    **forbidden(
        "VLLM_PLUGINS VLLM_NCCL_SO_PATH VLLM_LOGGING_CONFIG_PATH VLLM_CUDART_SO_PATH "
        "VLLM_TORCH_PROFILER_DIR VLLM_ALLOW_INSECURE_SERIALIZATION VLLM_SERVER_DEV_MODE "
        "VLLM_DP_MASTER_IP VLLM_PP_LAYER_PARTITION",
        "it loads code by name or path, or opens a way past the sidecar",
        "leave it out",
    ),
    **forbidden(
        "VLLM_USE_MODELSCOPE VLLM_MODEL_REDIRECT_PATH VLLM_ASSETS_CACHE S3_ENDPOINT_URL "
        "S3_ACCESS_KEY_ID S3_SECRET_ACCESS_KEY RUNAI_STREAMER_S3_ENDPOINT",
        "it says where models are fetched from",
        LOCAL,
    ),
}

TABLE = Table(
    kind="vllm",
    title="vLLM",
    sources=(
        "https://docs.vllm.ai/en/latest/cli/serve/",
        "https://docs.vllm.ai/en/latest/configuration/engine_args/",
        "https://docs.vllm.ai/en/latest/configuration/env_vars/",
        "https://docs.vllm.ai/en/latest/features/lora/",
    ),
    images=("vllm",),
    options={**_LOADING, **_PLAIN},
    variables=_VARIABLES,
    families=("VLLM_", *FAMILIES),
    says=frozenset({"--model"}),
    commands=frozenset({"serve"}),
    takes_place=True,
    notes="Without `--model` vLLM fetches a default one, so a place must be named. JSON options "
    "are also read part by part (`--speculative-config.model`): the first part decides.",
)
