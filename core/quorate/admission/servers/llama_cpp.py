"""llama.cpp: ``llama-server``."""

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

_FETCH = "it downloads a model at start"
_TEMPLATES = (
    "bailing bailing-think bailing2 chatglm3 chatglm4 chatml command-r deepseek deepseek-ocr "
    "deepseek2 deepseek3 exaone-moe exaone3 exaone4 falcon3 gemma gigachat glmedge gpt-oss "
    "granite grok-2 hunyuan-dense hunyuan-moe kimi-k2 llama2 llama2-sys llama2-sys-bos "
    "llama2-sys-strip llama3 llama4 megrez minicpm mistral-v1 mistral-v3 mistral-v3-tekken "
    "mistral-v7 mistral-v7-tekken monarch openchat orion pangu-embedded phi3 phi4 rwkv-world "
    "seed_oss smolvlm solar-open vicuna vicuna-orca yandex zephyr"
)
_OFF = "leave it out"

_LOADING: dict[str, Option] = {
    **places(
        "-m --model -md --model-draft --spec-draft-model -mm --mmproj -mv --model-vocoder --lora "
        "--lora-scaled --control-vector --control-vector-scaled --chat-template-file "
        "--grammar-file -jf --json-schema-file -lcs --lookup-cache-static --models-dir "
        "--ui-config-file --webui-config-file"
    ),
    **words("--chat-template", _TEMPLATES, or_place=True),
    **forbidden(
        "-mu --model-url -dr --docker-repo -hf -hfr --hf-repo -hff --hf-file -hft --hf-token "
        "-hfd -hfrd --hf-repo-draft --spec-draft-hf -hffd --hf-file-draft -hfv -hfrv --hf-repo-v "
        "-hffv --hf-file-v -mmu --mmproj-url",
        _FETCH,
        f"{LOCAL}: --model PATH",
    ),
    **forbidden(
        "--embd-bge-small-en-default --embd-e5-small-en-default --embd-gte-small-default "
        "--fim-qwen-1.5b-default --fim-qwen-3b-default --fim-qwen-7b-default "
        "--fim-qwen-7b-spec --fim-qwen-14b-spec --fim-qwen-30b-default --gpt-oss-20b-default "
        "--gpt-oss-120b-default --tts-oute-default --vision-gemma-4b-default "
        "--vision-gemma-12b-default --spec-default",
        _FETCH,
        f"{LOCAL}: --model PATH",
        Arity.FLAG,
    ),
    **forbidden("--models-preset", "what a file of options says cannot be seen here", _OFF),
    **forbidden("--rpc", "it computes on other machines", _OFF),
    **forbidden(
        "--tools --tools-runtime --mcp-servers-config --mcp-servers-json --path --media-path "
        "--slot-save-path --video-ffmpeg-dir -lcd --lookup-cache-dynamic",
        "it runs programs, or reads and writes other files",
        _OFF,
    ),
    **forbidden(
        "--ui-mcp-proxy --webui-mcp-proxy -ag --agent --props -cl --cache-list",
        "it opens ways past the checks",
        _OFF,
        Arity.FLAG,
    ),
}
_PLAIN: dict[str, Option] = {
    **binds("--host"),
    **plain(
        "-t --threads -tb --threads-batch -C --cpu-mask -Cr --cpu-range --cpu-strict --prio --poll "
        "-Cb --cpu-mask-batch -Crb --cpu-range-batch --cpu-strict-batch --prio-batch --poll-batch "
        "-c --ctx-size -n --predict --n-predict -b --batch-size -ub --ubatch-size --keep "
        "--rope-scaling --rope-scale --rope-freq-base --rope-freq-scale --yarn-orig-ctx "
        "--yarn-ext-factor --yarn-attn-factor --yarn-beta-slow --yarn-beta-fast -ctk "
        "--cache-type-k -ctv --cache-type-v -dt --defrag-thold -lm --load-mode -lzm --lazy-mode "
        "--numa -dev --device -ot --override-tensor -ncmoe --n-cpu-moe --moe-cache-mib -ncffn "
        "--n-cpu-ffn -ngl --gpu-layers --n-gpu-layers -sm --split-mode -ts --tensor-split -mg "
        "--main-gpu -fit --fit -fitt --fit-target -fitc --fit-ctx --override-kv --log-file "
        "--log-colors -lv --verbosity --log-verbosity -ctkd --cache-type-k-draft "
        "--spec-draft-type-k -ctvd --cache-type-v-draft --spec-draft-type-v --samplers -s --seed "
        "--sampler-seq --sampling-seq --temp --temperature --top-k --top-p --min-p --top-nsigma "
        "--top-n-sigma --xtc-probability --xtc-threshold --typical --typical-p --repeat-last-n "
        "--repeat-penalty --presence-penalty --frequency-penalty --dry-multiplier --dry-base "
        "--dry-allowed-length --dry-penalty-last-n --dry-sequence-breaker --adaptive-target "
        "--adaptive-decay --dynatemp-range --dynatemp-exp --mirostat --mirostat-lr --mirostat-ent "
        "-l --logit-bias --grammar -j --json-schema --kv-unified-per-slot -ctxcp "
        "--ctx-checkpoints --swa-checkpoints -cms --checkpoint-min-step -cram --cache-ram -r "
        "--reverse-prompt --pooling -np --parallel -mmdev --mmproj-device --image-min-tokens "
        "--image-max-tokens --mtmd-batch-max-tokens --video-fps --video-timestamp-interval -a "
        "--alias --tags --embd-normalize --port --cors-origins --cors-methods --cors-headers "
        "--api-prefix --ui-config --webui-config --api-key --api-key-file --ssl-key-file "
        "--ssl-cert-file --chat-template-kwargs -to --timeout --sse-ping-interval --threads-http "
        "--cache-reuse --models-max --reasoning-format -rea --reasoning --reasoning-effort "
        "--reasoning-budget --reasoning-budget-message -sps --slot-prompt-similarity --draft "
        "--draft-n --draft-max --draft-min --draft-n-min --draft-p-min -cd --ctx-size-draft -devd "
        "--device-draft -ngld --gpu-layers-draft --n-gpu-layers-draft -td --threads-draft"
    ),
    **plain("-fa --flash-attn", Arity.OPTIONAL),
    **flags(
        "-h --help --usage --version --swa-full --perf --no-perf -e --escape --no-escape -kvo "
        "--kv-offload -nkvo --no-kv-offload --repack -nr --no-repack --no-host --mlock --no-mmap "
        "--mmap --list-devices -cmoe --cpu-moe --check-tensors --op-offload --no-op-offload "
        "--log-disable --log-jsonl --no-log-jsonl -v --verbose --log-verbose --offline "
        "--log-prefix --no-log-prefix --log-timestamps --no-log-timestamps --ignore-eos -bs "
        "--backend-sampling -kvu --kv-unified -no-kvu --no-kv-unified --cache-idle-slots "
        "--no-cache-idle-slots --context-shift --no-context-shift -sp --special --warmup "
        "--no-warmup --spm-infill -cb --cont-batching -nocb --no-cont-batching --no-mmproj "
        "--no-mmproj-auto --mmproj-offload --no-mmproj-offload --reuse-port --cors-credentials "
        "--no-cors-credentials --no-ui-mcp-proxy --no-webui-mcp-proxy -no-ag --no-agent --ui "
        "--webui --no-ui --no-webui --embedding --embeddings --rerank --reranking --cache-prompt "
        "--no-cache-prompt --metrics --slots --no-slots --models-autoload --no-models-autoload "
        "--jinja --no-jinja --reasoning-preserve --no-reasoning-preserve --prefill-assistant "
        "--no-prefill-assistant --lora-init-without-apply"
    ),
    **plain("--control-vector-layer-range", Arity.MANY),
}
_LOADING_VARIABLES: dict[str, Option] = {
    **places(
        "LLAMA_ARG_MODEL LLAMA_ARG_MODEL_DRAFT LLAMA_ARG_SPEC_DRAFT_MODEL LLAMA_ARG_MMPROJ "
        "LLAMA_ARG_MODELS_DIR LLAMA_ARG_CHAT_TEMPLATE_FILE LLAMA_ARG_UI_CONFIG_FILE"
    ),
    **words("LLAMA_ARG_CHAT_TEMPLATE", _TEMPLATES, or_place=True),
    **binds("LLAMA_ARG_HOST"),
    **forbidden(
        "LLAMA_ARG_MODEL_URL LLAMA_ARG_DOCKER_REPO LLAMA_ARG_HF_REPO LLAMA_ARG_HF_FILE "
        "LLAMA_ARG_HFD_REPO LLAMA_ARG_HF_REPO_V LLAMA_ARG_HF_FILE_V LLAMA_ARG_MMPROJ_URL "
        "LLAMA_ARG_SPEC_DRAFT_HF_REPO",
        _FETCH,
        LOCAL,
    ),
    **forbidden(
        "LLAMA_ARG_RPC LLAMA_ARG_TOOLS LLAMA_ARG_TOOLS_RUNTIME LLAMA_ARG_MCP_SERVERS_CONFIG "
        "LLAMA_ARG_MCP_SERVERS_JSON LLAMA_ARG_AGENT LLAMA_ARG_UI_MCP_PROXY "
        "LLAMA_ARG_MODELS_PRESET LLAMA_ARG_STATIC_PATH LLAMA_ARG_SLOT_SAVE_PATH "
        "LLAMA_ARG_VIDEO_FFMPEG_DIR LLAMA_ARG_ENDPOINT_PROPS LLAMA_CACHE GGML_BACKEND_PATH",
        "it loads, runs or reaches something beside the model",
        _OFF,
    ),
}
_PLAIN_NAMES = (
    "THREADS CTX_SIZE N_PREDICT BATCH UBATCH SWA_FULL FLASH_ATTN PERF ROPE_SCALING_TYPE "
    "ROPE_SCALE ROPE_FREQ_BASE ROPE_FREQ_SCALE YARN_ORIG_CTX YARN_EXT_FACTOR "
    "YARN_ATTN_FACTOR YARN_BETA_SLOW YARN_BETA_FAST KV_OFFLOAD REPACK NO_HOST CACHE_TYPE_K "
    "CACHE_TYPE_V DEFRAG_THOLD LOAD_MODE LAZY_MODE NUMA DEVICE OVERRIDE_TENSOR CPU_MOE "
    "N_CPU_MOE MOE_CACHE_MIB N_CPU_FFN N_GPU_LAYERS SPLIT_MODE TENSOR_SPLIT MAIN_GPU FIT "
    "FIT_TARGET FIT_CTX LOG_FILE LOG_JSONL LOG_COLORS LOG_VERBOSITY LOG_PREFIX "
    "LOG_TIMESTAMPS OFFLINE TEMPERATURE TOP_K TOP_P MIN_P REPEAT_PENALTY PRESENCE_PENALTY "
    "FREQUENCY_PENALTY CTX_CHECKPOINTS CACHE_RAM KV_UNIFIED CONTEXT_SHIFT POOLING "
    "N_PARALLEL CONT_BATCHING MMPROJ_AUTO MMPROJ_OFFLOAD IMAGE_MIN_TOKENS "
    "IMAGE_MAX_TOKENS ALIAS TAGS PORT REUSE_PORT CORS_ORIGINS CORS_METHODS CORS_HEADERS "
    "CORS_CREDENTIALS API_PREFIX UI_CONFIG UI EMBEDDINGS RERANKING API_KEY_FILE "
    "SSL_KEY_FILE SSL_CERT_FILE CHAT_TEMPLATE_KWARGS TIMEOUT SSE_PING_INTERVAL "
    "THREADS_HTTP CACHE_PROMPT CACHE_REUSE ENDPOINT_METRICS ENDPOINT_SLOTS MODELS_MAX "
    "MODELS_AUTOLOAD JINJA THINK REASONING REASONING_EFFORT THINK_BUDGET "
    "THINK_BUDGET_MESSAGE MLOCK NO_MMAP"
)
_PLAIN_VARIABLES = plain(
    " ".join(["LLAMA_API_KEY", *(f"LLAMA_ARG_{name}" for name in _PLAIN_NAMES.split())])
)

TABLE = Table(
    kind="llama-cpp",
    title="llama.cpp",
    sources=("https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",),
    images=("llama.cpp", "llama-cpp", "llama-server"),
    options={**_LOADING, **_PLAIN},
    variables={**SHARED, **_LOADING_VARIABLES, **_PLAIN_VARIABLES},
    families=("LLAMA_", "GGML_", *FAMILIES),
    says=frozenset({"-m", "--model", "--models-dir", "LLAMA_ARG_MODEL", "LLAMA_ARG_MODELS_DIR"}),
    notes="Without a model it serves what is in its cache and fetches what a request names, so a "
    "place must be named.",
)
