"""Seldon: MLServer (Seldon Core 2 and KServe's v2 protocol) and Seldon Core 1's variables."""

from quorate.admission.servers.hugging_face import FAMILIES, LOCAL
from quorate.admission.servers.hugging_face import VARIABLES as SHARED
from quorate.admission.servers.table import Table, binds, flags, forbidden, places, plain, words

_RUNTIMES = (
    "mlserver_sklearn.SKLearnModel mlserver_xgboost.XGBoostModel "
    "mlserver_lightgbm.LightGBMModel mlserver_mlflow.MLflowRuntime "
    "mlserver_huggingface.HuggingFaceRuntime mlserver_catboost.CatboostModel "
    "mlserver_mllib.MLlibModel mlserver_alibi_detect.AlibiDetectRuntime "
    "mlserver_alibi_explain.AlibiExplainRuntime"
)

TABLE = Table(
    kind="seldon",
    title="Seldon (MLServer)",
    sources=(
        "https://docs.seldon.ai/mlserver/reference/cli",
        "https://docs.seldon.ai/mlserver/reference/settings",
        "https://docs.seldon.ai/mlserver/reference/model-settings",
    ),
    images=("mlserver", "seldon"),
    options=flags("--help --version"),
    variables={
        **SHARED,
        **places(
            "MLSERVER_MODEL_REPOSITORY_ROOT MLSERVER_MODEL_URI MLSERVER_MODELS_DIR "
            "MLSERVER_MODEL_HUGGINGFACE_PRETRAINED_MODEL "
            "MLSERVER_MODEL_HUGGINGFACE_PRETRAINED_TOKENIZER"
        ),
        **words("MLSERVER_MODEL_IMPLEMENTATION", _RUNTIMES, why="it runs a class by name"),
        **binds("MLSERVER_HOST"),
        **plain(
            "MLSERVER_DEBUG MLSERVER_PARALLEL_WORKERS MLSERVER_LOAD_MODELS_AT_STARTUP "
            "MLSERVER_SERVER_NAME MLSERVER_SERVER_VERSION MLSERVER_HTTP_PORT MLSERVER_ROOT_PATH "
            "MLSERVER_GRPC_PORT MLSERVER_GRPC_MAX_MESSAGE_LENGTH MLSERVER_METRICS_ENDPOINT "
            "MLSERVER_METRICS_PORT MLSERVER_METRICS_REST_SERVER_PREFIX MLSERVER_MODEL_NAME "
            "MLSERVER_MODEL_VERSION MLSERVER_MODEL_MAX_BATCH_SIZE MLSERVER_MODEL_MAX_BATCH_TIME "
            "MLSERVER_MODEL_PARALLEL_WORKERS MLSERVER_MODEL_HUGGINGFACE_TASK"
        ),
        **forbidden(
            "MLSERVER_MODEL_PARAMETERS MLSERVER_MODEL_EXTRA MLSERVER_EXTENSIONS "
            "MLSERVER_LOGGING_SETTINGS MLSERVER_MODEL_REPOSITORY_IMPLEMENTATION "
            "MLSERVER_MODEL_REPOSITORY_IMPLEMENTATION_ARGS MLSERVER_ENVIRONMENTS_DIR "
            "MLSERVER_CUSTOM_GRPC_SERVER_SETTINGS MLSERVER_KAFKA_ENABLED MLSERVER_KAFKA_SERVERS",
            "it runs code by name, or takes requests past the sidecar",
            "leave it out",
        ),
        **forbidden(
            "PREDICTIVE_UNIT_PARAMETERS MODEL_URI SELDON_MODEL_URI MODEL_SETTINGS_URI",
            "the server would fetch the model itself",
            LOCAL,
        ),
        **plain(
            "PREDICTIVE_UNIT_ID PREDICTIVE_UNIT_SERVICE_PORT PREDICTIVE_UNIT_HTTP_SERVICE_PORT"
        ),
    },
    families=("MLSERVER_", "SELDON_", "PREDICTIVE_UNIT_", *FAMILIES),
    says=frozenset({"MLSERVER_MODEL_REPOSITORY_ROOT", "MLSERVER_MODEL_URI", "MLSERVER_MODELS_DIR"}),
    commands=frozenset({"start"}),
    takes_place=True,
    notes="`model-settings.json` is a file of the model, measured and signed like the weights.",
)
