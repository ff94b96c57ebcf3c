"""Triton Inference Server: ``tritonserver``."""

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

_CODE = "it loads shared libraries from there"
_IN_IMAGE = "leave it out: the image holds its backends"

_OPTIONS: dict[str, Option] = {
    **places("--model-repository --model-store"),
    **words(
        "--model-control-mode",
        "none",
        why="in the other modes models are loaded and changed while it serves",
    ),
    **binds("--http-address --grpc-address --metrics-address"),
    **forbidden("--backend-directory --repoagent-directory --cache-directory", _CODE, _IN_IMAGE),
    **forbidden(
        "--backend-config --cache-config --trace-config --trace-file",
        "it may name files, libraries or other servers",
        "leave it out",
    ),
    **forbidden(
        "--repository-poll-secs --load-model",
        "models would be loaded while it serves",
        "leave it out: what is in the measured repository is loaded at start",
    ),
    **forbidden(
        "--allow-sagemaker --allow-vertex-ai --sagemaker-port --vertex-ai-port",
        "it opens another interface, past the sidecar",
        "leave it out",
    ),
    **plain(
        "--id --exit-on-error --exit-timeout-secs --strict-readiness "
        "--disable-auto-complete-config --strict-model-config --model-load-thread-count "
        "--model-load-retry-count --model-namespacing "
        "--allow-http --http-port --reuse-http-port --http-thread-count "
        "--http-header-forward-pattern --http-restricted-api --allow-grpc --grpc-port "
        "--reuse-grpc-port --grpc-header-forward-pattern --grpc-infer-allocation-pool-size "
        "--grpc-use-ssl --grpc-use-ssl-mutual --grpc-server-cert --grpc-server-key "
        "--grpc-root-cert --grpc-infer-response-compression-level --grpc-keepalive-time "
        "--grpc-keepalive-timeout --grpc-restricted-protocol --grpc-max-connection-age "
        "--log-verbose --log-info --log-warning --log-error --log-format --log-file "
        "--allow-metrics --allow-gpu-metrics --allow-cpu-metrics --metrics-port "
        "--metrics-interval-ms --metrics-config --rate-limit --rate-limit-resource "
        "--pinned-memory-pool-byte-size --cuda-memory-pool-byte-size --cuda-virtual-address-size "
        "--min-supported-compute-capability --buffer-manager-thread-count --host-policy "
        "--model-load-gpu-limit --response-cache-byte-size"
    ),
    **flags("--help -h"),
    **plain("--trace-level --trace-rate --trace-count --trace-log-frequency", Arity.ONE),
}

TABLE = Table(
    kind="triton",
    title="Triton Inference Server",
    sources=(
        "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_management.html",
        "https://github.com/triton-inference-server/server/blob/main/src/command_line_parser.cc",
    ),
    images=("tritonserver", "triton-inference-server"),
    options=_OPTIONS,
    variables={
        **plain("TRITON_SERVER_VERSION TRITON_SERVER_GPU_ENABLED"),
        **forbidden(
            "TRITON_CLOUD_CREDENTIAL_PATH TRITON_AWS_MOUNT_DIRECTORY TRITON_AZURE_MOUNT_DIRECTORY "
            "TRITON_GCS_MOUNT_DIRECTORY TRITON_ENABLE_CACHE",
            "it is for repositories that are fetched",
            "put the repository into the model and name its path",
        ),
    },
    families=("TRITON_",),
    says=frozenset({"--model-repository", "--model-store"}),
    commands=frozenset({"tritonserver"}),
    notes="Options may be shortened on its command line; here they may not. A Python backend's "
    "`model.py` is a file of the model: it is measured and signed like the weights.",
)
