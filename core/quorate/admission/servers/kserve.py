"""KServe: its Hugging Face server, and what ``storageUri`` turns into."""

from quorate.admission.servers import vllm
from quorate.admission.servers.hugging_face import LOCAL
from quorate.admission.servers.table import (
    Option,
    Table,
    binds,
    flags,
    forbidden,
    places,
    plain,
    words,
)

_OPTIONS: dict[str, Option] = {
    **vllm.TABLE.options,
    **places("--model-dir --model-id"),
    **forbidden("--model-revision", "it decides what is fetched from the hub", LOCAL),
    **binds("--predictor-host"),
    **words("--backend", "auto vllm huggingface"),
    **plain(
        "--model-name --http-port --grpc-port --workers --max-threads --max-asyncio-workers "
        "--enable-grpc --enable-docs-url --enable-latency-logging --configure-logging "
        "--access-log-format --protocol --predictor-protocol --predictor-use-ssl "
        "--predictor-request-timeout-seconds --max-length --tensor-input-names"
    ),
    **flags(
        "--disable-lower-case --disable-special-tokens --return-token-type-ids "
        "--return-probabilities"
    ),
}

TABLE = Table(
    kind="kserve",
    title="KServe",
    sources=(
        "https://kserve.github.io/website/docs/model-serving/generative-inference/overview",
        "https://kserve.github.io/website/docs/model-serving/storage/overview",
        "https://github.com/kserve/kserve/blob/master/python/huggingfaceserver/huggingfaceserver/__main__.py",
    ),
    images=("huggingfaceserver", "kserve"),
    options=_OPTIONS,
    variables={
        **vllm.TABLE.variables,
        **plain("KSERVE_LOGLEVEL KSERVE_OPENAI_ROUTE_PREFIX"),
        **places("MODEL_DIR MODEL_PATH"),
        **forbidden(
            "STORAGE_URI STORAGE_CONFIG STORAGE_OVERRIDE_CONFIG",
            "the server would fetch the model itself",
            "use storageUri with an init container of model.downloaders, or a volume",
        ),
    },
    families=(*vllm.TABLE.families, "KSERVE_", "STORAGE_"),
    says=frozenset({"--model-dir", "--model-id", "--model"}),
    default_place="/mnt/models",
    notes="`storageUri` adds the init container `storage-initializer`, which fills an emptyDir: "
    "name its image in `model.downloaders` and let the AttestedModel's source be that directory. "
    "`oci://` as a sidecar container (modelcar) shares processes and is refused: use an image "
    "volume.",
)
