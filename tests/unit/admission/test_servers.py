"""Each server's table: what it lets through, what it refuses, and the words it refuses with."""

import pytest

from quorate.admission.servers import NAMED, TABLES, guess
from quorate.admission.servers.judge import Finding, Told, findings, is_loopback
from quorate.admission.servers.table import Effect, Option, Table, stricter

PLACES = ("/models",)
EVERY = "0.0.0.0"  # noqa: S104 - to see it refused
Env = dict[str, str | None]


def found(kind: str | None, *args: str, env: Env | None = None) -> list[Finding]:
    """What is wrong with a server of this kind that is told this."""
    return list(findings(Told(args, tuple((env or {}).items()), PLACES), TABLES[kind]))


GOOD: list[tuple[str, list[str], Env]] = [
    ("vllm", ["--model", "/models", "--host", "127.0.0.1", "--port", "8000"], {}),
    ("vllm", ["serve", "/models", "--served-model-name", "org/name", "other"], {}),
    ("vllm", ["/models", "--enable-auto-tool-choice", "--tool-call-parser", "hermes"], {}),
    ("vllm", ["--model=/models", "--enable-lora", "--lora-modules", "a=/models/a", "b=/models/b"],
     {"HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "INFO", "HF_HOME": "/tmp/hf"}),
    ("vllm", ["--model", "/models", "--chat-template", "/models/c.jinja", "-tp", "2", "-O3"], {}),
    ("vllm", ["--model", "/models", "--generation-config", "vllm", "--load-format=pt"], {}),
    ("vllm", ["--model", "/models", "--limit-mm-per-prompt.image", "2", "--max_model_len=4"], {}),
    ("vllm", ["--model", "/models", "--api-key", "k", "--allowed-origins", '["*"]'], {}),
    ("vllm", ["/models", "--enable-chunked-prefill=False", "--attention-backend", "X"], {}),
    ("tgi", ["--model-id", "/models", "--hostname", "127.0.0.1", "-p", "8080"], {}),
    ("tgi", [], {"MODEL_ID": "/models", "NUM_SHARD": "1", "HOSTNAME": "127.0.0.1"}),
    ("tgi", ["--model-id=/models"], {"LORA_ADAPTERS": "a=/models/a,b=/models/b"}),
    ("llama-cpp", ["-m", "/models/m.gguf", "-ngl", "-1", "--host", "127.0.0.1", "-fa", "on"], {}),
    ("llama-cpp", ["--ctx-size", "4096"], {"LLAMA_ARG_MODEL": "/models/m.gguf"}),
    ("llama-cpp", ["-m", "/models/m.gguf", "--chat-template", "chatml", "--lora",
                   "/models/a.gguf,/models/b.gguf", "--mmproj", "/models/p.gguf"], {}),
    ("ollama", ["serve"], {"OLLAMA_MODELS": "/models", "OLLAMA_HOST": "127.0.0.1:11434"}),
    ("triton", ["tritonserver", "--model-repository=/models", "--http-address=127.0.0.1",
                "--grpc-address=127.0.0.1", "--metrics-address=127.0.0.1"], {}),
    ("kserve", ["--model_name=chat", "--model_dir=/models", "--backend", "vllm"], {}),
    ("ray-serve", [], {"RAY_DEDUP_LOGS": "0"}),
    ("seldon", ["start", "/models"], {"MLSERVER_HOST": "127.0.0.1"}),
    ("seldon", [], {"MLSERVER_MODEL_URI": "/models",
                    "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel"}),
    ("other", ["--model", "/models", "--whatever", "x"], {"ANYTHING": "goes"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "args", "env"), GOOD, ids=lambda v: " ".join(v) if v else "-")
def test_common_ways_to_serve_pass(kind: str, args: list[str], env: Env) -> None:
    """A server that is told to load the measured model from its mount is let through."""
    assert found(kind, *args, env=env) == []


ELSEWHERE: list[tuple[str, list[str], Env, str]] = [
    ("vllm", ["--model", "org/name"], {}, "--model org/name"),
    ("vllm", ["serve", "org/name"], {}, "argument org/name"),
    ("vllm", ["serve", "--enforce-eager", "org/name"], {}, "argument org/name"),
    ("vllm", ["/models", "org/name"], {}, "argument org/name"),
    ("vllm", ["run-batch", "/models"], {}, "argument run-batch"),
    ("vllm", ["--model", "/models", "--", "org/name"], {}, "argument org/name"),
    ("vllm", [], {}, "nothing that says what it loads"),
    ("vllm", ["--tokenizer", "/models"], {}, "nothing that says what it loads"),
    ("vllm", ["/models", "--trust-remote-code"], {}, "--trust-remote-code"),
    ("vllm", ["/models", "--trust_remote_code"], {}, "--trust-remote-code"),
    ("vllm", ["/models", "--trust-remote"], {}, "--trust-remote"),
    ("vllm", ["/models", "--config", "/models/c.yaml"], {}, "--config"),
    ("vllm", ["/models", "--config=/tmp/c.yaml"], {}, "--config"),
    ("vllm", ["/models", "--lora-modules", "a=org/name"], {}, "--lora-modules a=org/name"),
    ("vllm", ["/models", "--lora-modules", '{"name":"a","path":"/tmp/a"}'], {}, "--lora-modules"),
    ("vllm", ["/models", "--tool-parser-plugin", "/models/p.py"], {}, "--tool-parser-plugin"),
    ("vllm", ["/models", "--reasoning-parser-plugin=x.py"], {}, "--reasoning-parser-plugin"),
    ("vllm", ["/models", "--structured-outputs-config.reasoning_parser_plugin", "/tmp/p.py"], {},
     "--structured-outputs-config"),
    ("vllm", ["/models", "--speculative-config.model", "org/draft"], {}, "--speculative-config"),
    ("vllm", ["/models", "--kv-transfer-config", '{"kv_connector_module_path":"x"}'], {},
     "--kv-transfer-config"),
    ("vllm", ["/models", "--compilation-config", '{"backend":"evil.f"}'], {},
     "--compilation-config"),
    ("vllm", ["/models", "-O.backend", "evil.f"], {}, "-O evil.f"),
    ("vllm", ["/models", "--chat-template", "https://example.com/t.jinja"], {}, "--chat-template"),
    ("vllm", ["/models", "--chat-template", "{{ evil }}"], {}, "--chat-template"),
    ("vllm", ["/models", "--load-format", "runai_streamer"], {}, "--load-format"),
    ("vllm", ["/models", "--download-dir", "/tmp"], {}, "--download-dir"),
    ("vllm", ["/models", "--distributed-executor-backend", "ray"], {}, "--distributed"),
    ("vllm", ["/models", "--middleware", "evil.m"], {}, "--middleware"),
    ("vllm", ["/models"], {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}, "VLLM_ALLOW_RUNTIME_LORA"),
    ("vllm", ["/models"], {"VLLM_PLUGINS": "lora_filesystem_resolver"}, "VLLM_PLUGINS"),
    ("vllm", ["/models"], {"VLLM_NOT_LISTED": "1"}, "VLLM_NOT_LISTED"),
    ("vllm", ["/models"], {"VLLM_LOGGING_CONFIG_PATH": "/tmp/l.json"}, "VLLM_LOGGING_CONFIG_PATH"),
    ("vllm", ["/models"], {"VLLM_USE_MODELSCOPE": "True"}, "VLLM_USE_MODELSCOPE"),
    ("vllm", ["/models"], {"HF_ENDPOINT": "https://example.com"}, "HF_ENDPOINT"),
    ("vllm", ["/models"], {"NCCL_NET_PLUGIN": "/tmp/x.so"}, "NCCL_NET_PLUGIN"),
    ("vllm", ["/models"], {"PIP_INDEX_URL": "https://example.com"}, "PIP_INDEX_URL"),
    ("vllm", ["--model", "/models", "--allowed-origins", '["*"]', "org/name"], {},
     "--allowed-origins org/name"),
    ("vllm", ["--model", "/models", "--api_key", "k", "org/name"], {}, "--api-key org/name"),
    ("vllm", ["--api-key", "k", "/models"], {}, "--api-key /models"),
    ("vllm", ["--model", "/models", "--enable-chunked-prefill", "org/name"], {},
     "argument org/name"),
    ("vllm", ["/models", "--lora-modules", '{"path":"/tmp/a=/models/a","name":"b=/models/b"}'], {},
     "--lora-modules"),
    ("vllm", ["/models", "--lora-modules", "a=/models=/models/a"], {}, "--lora-modules"),
    ("tgi", [], {"MODEL_ID": "org/name"}, "MODEL_ID"),
    ("tgi", [], {}, "nothing that says what it loads"),
    ("tgi", ["--model-id", "/models", "--revision", "main"], {}, "--revision"),
    ("tgi", ["--model-id", "/models"], {"TRUST_REMOTE_CODE": "true"}, "TRUST_REMOTE_CODE"),
    ("tgi", ["--model-id", "/models"], {"LORA_ADAPTERS": "a=/models/a,org/b"}, "LORA_ADAPTERS"),
    ("tgi", ["--model-id", "/models", "--ngrok"], {}, "--ngrok"),
    ("llama-cpp", ["-hf", "org/name"], {}, "-hf"),
    ("llama-cpp", ["-hfr", "org/name"], {}, "-hfr"),
    ("llama-cpp", ["--hf-repo", "org/name", "--hf-file", "f"], {}, "--hf-repo"),
    ("llama-cpp", ["-mu", "https://example.com/m"], {}, "-mu"),
    ("llama-cpp", ["--model-url", "https://example.com/m"], {}, "--model-url"),
    ("llama-cpp", ["-dr", "gemma3"], {}, "-dr"),
    ("llama-cpp", ["--gpt-oss-20b-default"], {}, "--gpt-oss-20b-default"),
    ("llama-cpp", ["-m", "/models/m.gguf", "--lora", "/models/a,/tmp/b"], {}, "--lora"),
    ("llama-cpp", ["-m", "/models/m.gguf", "--rpc", "10.0.0.1:1"], {}, "--rpc"),
    ("llama-cpp", ["-m", "/models/m.gguf", "--tools", "all"], {}, "--tools"),
    ("llama-cpp", ["-m", "/models/m.gguf"], {"LLAMA_ARG_HF_REPO": "org/n"}, "LLAMA_ARG_HF_REPO"),
    ("llama-cpp", ["-m", "/models/m.gguf"], {"LLAMA_ARG_NEW": "1"}, "LLAMA_ARG_NEW"),
    ("llama-cpp", [], {}, "nothing that says what it loads"),
    ("ollama", ["pull", "llama3"], {"OLLAMA_MODELS": "/models"}, "argument pull"),
    ("ollama", ["run", "llama3"], {"OLLAMA_MODELS": "/models"}, "argument run"),
    ("ollama", ["serve"], {}, "nothing that says what it loads"),
    ("ollama", ["serve"], {"OLLAMA_MODELS": "/tmp/ollama"}, "OLLAMA_MODELS"),
    ("ollama", ["serve"], {"OLLAMA_MODELS": "/models", "OLLAMA_RUNNERS_DIR": "/tmp"},
     "OLLAMA_RUNNERS_DIR"),
    ("triton", ["tritonserver", "--model-repository=s3://bucket/m"], {}, "--model-repository"),
    ("triton", ["tritonserver", "--model-repo=/tmp"], {}, "--model-repo"),
    ("triton", ["tritonserver", "--model-store=/models", "--model-control-mode=poll"], {},
     "--model-control-mode"),
    ("triton", ["tritonserver", "--model-store=/models", "--backend-directory=/tmp"], {},
     "--backend-directory"),
    ("triton", ["sh", "-c", "id"], {}, "argument sh"),
    ("kserve", ["--model_id=org/name"], {}, "--model-id org/name"),
    ("kserve", ["--model_dir", "/models"], {"STORAGE_URI": "s3://bucket/m"}, "STORAGE_URI"),
    ("kserve", [], {}, "nothing that says what it loads"),
    ("ray-serve", ["run", "app:app"], {}, "argument run"),
    ("ray-serve", ["run", "/models/config.yaml"], {}, "argument run"),
    ("ray-serve", ["--runtime-env-json", "{}"], {}, "--runtime-env-json"),
    ("ray-serve", [], {"RAY_ADDRESS": "ray://x"}, "RAY_ADDRESS"),
    ("seldon", ["start", "."], {}, "argument ."),
    ("seldon", [], {"MLSERVER_MODEL_URI": "/models", "MLSERVER_MODEL_IMPLEMENTATION": "evil.M"},
     "MLSERVER_MODEL_IMPLEMENTATION"),
    ("seldon", [], {"MLSERVER_MODEL_URI": "/models", "MLSERVER_EXTENSIONS": '["evil"]'},
     "MLSERVER_EXTENSIONS"),
    ("seldon", ["start", "/models"], {"mlserver_model_implementation": "evil.M"},
     "mlserver_model_implementation"),
    ("seldon", ["start", "/models"], {"MLSERVER_host": EVERY}, "MLSERVER_host"),
]  # fmt: skip


@pytest.mark.requirement("arguments and environment that fetch at run time → DENY with the name")
@pytest.mark.parametrize(
    ("kind", "args", "env", "named"), ELSEWHERE, ids=lambda v: " ".join(v) if v else "-"
)
def test_what_loads_elsewhere_is_refused(kind: str, args: list[str], env: Env, named: str) -> None:
    """The argument or variable is named, with the reason and what would be right; and where no
    policy says which server the image is, it is refused as well."""
    refused = found(kind, *args, env=env)
    assert any(item.what.startswith(named) for item in refused), refused
    assert all(item.is_bind or (item.why and item.fix) for item in refused)
    assert found(None, *args, env=env)


@pytest.mark.parametrize("table", [*NAMED, TABLES[None]], ids=lambda table: table.title)
def test_what_a_table_does_not_list_is_refused(table: Table) -> None:
    """Unknown options, in any dress."""
    for arg in ("--not-listed", "--not-listed=1", "-z9", "--", "---model", "--MODEL=/models"):
        args = ("--", "-x") if arg == "--" else (arg,)
        told = Told(args, (), PLACES, serves=False)
        assert findings(told, table), arg


@pytest.mark.parametrize("table", NAMED, ids=lambda table: table.title)
def test_tables_are_whole(table: Table) -> None:
    """Every table names its source; whatever it refuses has a reason and a remedy."""
    assert table.sources
    assert table.images
    for name, option in (*table.options.items(), *table.variables.items()):
        assert option.effect is not Effect.FORBIDDEN or (option.why and option.fix), name
        assert option.effect not in (Effect.WORDS, Effect.PLACE_OR_WORDS) or option.words, name
    for name in table.options:
        assert name.startswith("-"), name
        assert not set(name) & {"_", "="}, name


def test_the_union_is_no_laxer_than_any_table() -> None:
    """Where no kind is set, an option one server must not get passes for none."""
    union = TABLES[None]
    for table in NAMED:
        for name, option in table.options.items():
            if option.effect is Effect.FORBIDDEN:
                assert union.options[name].effect is Effect.FORBIDDEN, name
            if option.effect is Effect.PLACE:
                assert union.options[name].effect in (Effect.PLACE, Effect.FORBIDDEN), name


def test_of_two_meanings_the_stricter_counts() -> None:
    """Also for how many arguments an option takes: fewer leaves more to be judged."""
    for one in Effect:
        for two in Effect:
            first, second = Option(one, words=frozenset("a")), Option(two, words=frozenset("b"))
            assert stricter(first, second).effect is stricter(second, first).effect
    assert not stricter(Option(Effect.WORDS, words=frozenset("a")),
                        Option(Effect.WORDS, words=frozenset("b"))).words  # fmt: skip


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("registry.example.com/vllm/vllm-openai@sha256:00", "vllm"),
        ("docker.io/ollama/ollama:latest", "ollama"),
        ("nvcr.io/nvidia/tritonserver@sha256:00", "triton"),
        ("registry.example.com/own/server", ""),
        ("registry.example.com/vllm-on-ollama", ""),
    ],
)
def test_an_images_name_is_a_hint(image: str, kind: str) -> None:
    """It is for the message that says which kind a policy could name; it allows nothing."""
    assert guess(image) == kind


@pytest.mark.parametrize(
    ("value", "is_it"),
    [
        ("127.0.0.1", True), ("127.9.9.9:80", True), ("localhost", False), ("::1", True),
        ("[::1]:80", True), ("http://127.0.0.1:1", True), ("", False), (EVERY, False),
        (f"127.0.0.1,{EVERY}", False), ("127.0.0.1.example.com", False), ("10.0.0.1", False),
        ("::", False), ("$(POD_IP)", False), ("localhost.example.com", False),
        ("https://127.0.0.1:443/", True), ("http://[::1]", True),
        # Programs part these at the first "://".
        (f"http://{EVERY}:80/://127.0.0.1", False), (f"http://{EVERY}/@127.0.0.1", False),
        # Names that look like addresses: a tenant's nameserver or hostAliases say what they are.
        ("127.0.0.300", False), ("127.0.0.01", False), ("127.0.0.1\n", False),
        ("127.0.0.1:80:90", False), ("unix://127.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback(value: str, is_it: bool) -> None:
    """Nothing but loopback is loopback."""
    assert is_loopback(value) is is_it


@pytest.mark.requirement("$(VAR) expansion hides nothing")
@pytest.mark.parametrize(
    "env",
    [
        {"A(B": "../tmp/evil"},
        {"A(B": None},
        {"W": "../tmp/evil"},
        {"W": None},
    ],
    ids=str,
)
def test_a_place_made_of_a_variable_is_what_the_kubelet_makes_of_it(env: Env) -> None:
    """Odd names, values that climb out of the model, and values nobody can see here."""
    (name,) = env
    assert found("vllm", "--model", f"/models/$({name})", env=env)
    assert found("tgi", env={**env, "MODEL_ID": f"/models/$({name})"})


def test_doubled_dollars_are_no_reference() -> None:
    """``$$(X)`` is the text ``$(X)``: it is no place, and makes no option."""
    env: Env = {"X": "/models", "Y": "--trust-remote-code"}
    assert found("vllm", "--model", "$$(X)", env=env)
    assert found("vllm", "--model", "$(X)", env=env) == []
    assert found("vllm", "/models", "$(Y)", env=env)
    assert found("vllm", "/models", "--served-model-name", "$(Y)", env=env)
