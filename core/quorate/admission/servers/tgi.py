"""Text Generation Inference: ``text-generation-launcher``."""

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
)

_FETCH = "it decides what is fetched from the hub"
_CODE = "it runs code that comes with the model"

_PLAIN = (
    "validation-workers sharded num-shard quantize speculate dtype kv-cache-dtype "
    "max-concurrent-requests max-best-of max-stop-sequences max-top-n-tokens max-input-tokens "
    "max-input-length max-total-tokens waiting-served-ratio max-batch-prefill-tokens "
    "max-batch-total-tokens max-waiting-tokens max-batch-size cuda-graphs port shard-uds-path "
    "master-port cuda-memory-fraction rope-scaling rope-factor otlp-service-name "
    "cors-allow-origin api-key watermark-gamma watermark-delta max-client-batch-size usage-stats "
    "payload-limit max-image-fetch-size prometheus-port graceful-termination-timeout"
)
_FLAGS = (
    "disable-custom-kernels json-output disable-grammar-support enable-prefill-logprobs ngrok env"
)
_PLACES = "model-id tokenizer-config-path"
_FETCHES = "revision huggingface-hub-cache weights-cache-override"


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


def _named(names: str, *, variables: bool) -> str:
    return " ".join(_variable(n) if variables else f"--{n}" for n in names.split())


def _both(*, variables: bool) -> dict[str, Option]:
    """The launcher reads each option from a variable of the same name too."""
    one = Arity.ONE if variables else Arity.FLAG
    return {
        **plain(_named(_PLAIN, variables=variables)),
        **plain(_named(_FLAGS.replace("ngrok env", ""), variables=variables), one),
        **places(_named(_PLACES, variables=variables)),
        **places(_named("lora-adapters", variables=variables), named=True),
        **binds(_named("hostname master-addr", variables=variables)),
        **forbidden(_named(_FETCHES, variables=variables), _FETCH, LOCAL),
        **forbidden(
            _named("trust-remote-code", variables=variables),
            _CODE,
            "use a model the launcher knows, or build the code into its image",
            one,
        ),
        **forbidden(
            _named("otlp-endpoint ngrok-authtoken ngrok-edge", variables=variables),
            "it sends data elsewhere, past the sidecar",
            "leave it out",
        ),
        **forbidden(
            _named("ngrok", variables=variables),
            "it serves through a tunnel, past the sidecar",
            "leave it out",
            one,
        ),
    }


TABLE = Table(
    kind="tgi",
    title="Text Generation Inference",
    sources=("https://huggingface.co/docs/text-generation-inference/reference/launcher",),
    images=("text-generation-inference", "text-generation-launcher"),
    options={
        **_both(variables=False),
        **plain("-p"),
        **flags("-e --env -h --help -V --version"),
    },
    variables={
        **SHARED,
        **_both(variables=True),
        **places("HF_MODEL_ID"),
        **plain("HF_MODEL_QUANTIZE SM_NUM_GPUS"),
        **forbidden("HF_MODEL_REVISION", _FETCH, LOCAL),
        **forbidden("MODEL_ID_OVERRIDE LORA_ADAPTERS_REPO", _FETCH, LOCAL),
    },
    families=FAMILIES,
    says=frozenset({"--model-id", "MODEL_ID", "HF_MODEL_ID"}),
    commands=frozenset({"text-generation-launcher"}),
    notes="Every option is also read from a variable of the same name in capitals. Without a model "
    "the launcher fetches a default one.",
)
