"""Options and variables by which model servers load weights, adapters, tokenizers or code.

Of vLLM, TGI, SGLang, llama.cpp and Ollama, without their leading dashes.
"""

PLACES = frozenset(
    {
        "adapter",
        "adapter-path",
        "chat-template",
        "chat-template-file",
        "config",
        "config-file",
        "control-vector",
        "draft-model",
        "draft-model-path",
        "hf-config-path",
        "lora",
        "lora-adapters",
        "lora-modules",
        "lora-path",
        "lora-paths",
        "lora-scaled",
        "m",
        "md",
        "mm",
        "mmproj",
        "model",
        "model-dir",
        "model-draft",
        "model-id",
        "model-path",
        "models-dir",
        "qlora-adapter-name-or-path",
        "speculative-draft-model-path",
        "speculative-model",
        "tokenizer",
        "tokenizer-path",
    }
)
"""Options whose value is a place to load from: it must lie in the measured model."""
FORBIDDEN = frozenset(
    {
        "allow-remote-files",
        "custom-logit-processor",
        "docker-repo",
        "dr",
        "enable-custom-logit-processor",
        "hf",
        "hf-file",
        "hf-file-draft",
        "hf-file-v",
        "hf-repo",
        "hf-repo-draft",
        "hf-repo-v",
        "hfd",
        "hff",
        "hffv",
        "hfr",
        "hfrd",
        "hfv",
        "logits-processor-pattern",
        "logits-processors",
        "middleware",
        "mmproj-url",
        "mmu",
        "model-loader-extra-config",
        "model-url",
        "models-preset",
        "mu",
        "override-generation-plugin",
        "reasoning-parser-plugin",
        "rpc",
        "scheduler-cls",
        "speculative-config",
        "tool-parser-plugin",
        "tool-server",
        "trust-remote-code",
        "worker-cls",
        "worker-extension-cls",
    }
)
"""Options that fetch from the network or run code by name."""
PLACE_VARIABLES = frozenset(
    {
        "HF_MODEL_ID",
        "LLAMA_ARG_MMPROJ",
        "LLAMA_ARG_MODEL",
        "LLAMA_ARG_MODELS_DIR",
        "LLAMA_ARG_MODEL_DRAFT",
        "LORA_ADAPTERS",
        "MODEL_DIR",
        "MODEL_ID",
        "MODEL_PATH",
        "OLLAMA_MODELS",
        "TOKENIZER_PATH",
    }
)
"""Variables whose value is such a place."""
FORBIDDEN_VARIABLES = frozenset(
    {
        "LLAMA_ARG_DOCKER_REPO",
        "LLAMA_ARG_HFD_REPO",
        "LLAMA_ARG_HF_FILE",
        "LLAMA_ARG_HF_REPO",
        "LLAMA_ARG_MMPROJ_URL",
        "LLAMA_ARG_MODEL_URL",
        "STORAGE_URI",
        "TRUST_REMOTE_CODE",
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING",
        "VLLM_PLUGINS",
    }
)
"""Variables that fetch from the network or run code by name."""
