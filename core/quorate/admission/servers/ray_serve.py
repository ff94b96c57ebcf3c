"""Ray Serve: code by import path and files that fetch more code; only what the image says."""

from quorate.admission.servers.hugging_face import FAMILIES, LOCAL
from quorate.admission.servers.hugging_face import VARIABLES as SHARED
from quorate.admission.servers.table import Arity, Table, binds, flags, forbidden, places, plain

_CODE = "it says which code is run, or where more of it is fetched from"
_IN_IMAGE = "build application and configuration into the image and let its entry point name them"

TABLE = Table(
    kind="ray-serve",
    title="Ray Serve",
    sources=(
        "https://docs.ray.io/en/latest/serve/api/index.html",
        "https://docs.ray.io/en/latest/ray-core/handling-dependencies.html",
    ),
    images=("rayproject/ray", "ray-llm", "ray-serve"),
    options={
        **binds("--host -h --http-host --dashboard-host --node-ip-address"),
        **plain("--port -p --http-port --route-prefix --name --num-cpus --num-gpus"),
        **flags("--blocking --non-blocking --head --block --disable-usage-stats"),
        **forbidden(
            "--runtime-env --runtime-env-json --working-dir --app-dir -d --config-file",
            _CODE,
            _IN_IMAGE,
        ),
        **forbidden("--address -a", "it runs on another cluster", "leave it out"),
        **forbidden("--reload -r --gradio", _CODE, "leave it out", Arity.FLAG),
    },
    variables={
        **SHARED,
        **places("MODEL_ID MODEL_PATH MODEL_SOURCE"),
        **plain(
            "RAY_DEDUP_LOGS RAY_COLOR_PREFIX RAY_USAGE_STATS_ENABLED RAY_SERVE_LOG_ENCODING "
            "RAY_SERVE_LOG_TO_STDERR RAY_SERVE_REQUEST_PROCESSING_TIMEOUT_S"
        ),
        **forbidden("RAY_ADDRESS RAY_NAMESPACE", "it runs on another cluster", "leave it out"),
        **forbidden(
            "RAY_RUNTIME_ENV RAY_RUNTIME_ENV_HOOK RAY_JOB_CONFIG_JSON_ENV_VAR RAY_SERVE_CONFIG "
            "RAY_RUNTIME_ENV_CREATE_WORKING_DIR",
            _CODE,
            _IN_IMAGE,
        ),
        **forbidden("RAYLLM_HOME", "it says where models are fetched to", LOCAL),
    },
    families=("RAY_", "RAYLLM_", *FAMILIES),
    notes="A Serve application is code: it cannot be judged from a pod. What its image starts by "
    "itself is vouched for by the policy that names the image; anything else is refused.",
)
