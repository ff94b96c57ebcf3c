"""Spellings: however a dangerous argument is written, it does not slip through."""

from hypothesis import given, settings
from hypothesis import strategies as st

from quorate.admission.servers import NAMED, TABLES, expansion
from quorate.admission.servers.judge import Told, findings
from quorate.admission.servers.table import Arity, Effect, Table

PLACES = ("/models",)
GOOD_START = {
    "vllm": ["--model", "/models"],
    "tgi": ["--model-id", "/models"],
    "llama-cpp": ["-m", "/models/m.gguf"],
    "triton": ["--model-repository=/models"],
    "kserve": ["--model-dir", "/models"],
    "seldon": ["start", "/models"],
}
DANGEROUS = [
    (table, name, option)
    for table in NAMED
    for name, option in table.options.items()
    if option.effect in (Effect.FORBIDDEN, Effect.PLACE, Effect.WORDS, Effect.PLACE_OR_WORDS)
]
OPTIONS = frozenset(name.replace("_", "-") for table in NAMED for name in table.options)
ELSEWHERE = st.sampled_from(
    ["org/name", "/tmp/x", "/models/../x", "/modelsX", "s3://b/m", "https://example.com/m", "x",
     "//models", "./models", "models", "/models,/tmp/x", "a=/tmp/x", "$$(M)", "$(M)x", "~/m", ""]
)  # fmt: skip


def refused(table: Table, args: list[str], env: tuple[tuple[str, str | None], ...] = ()) -> bool:
    """Whether a server that is told this is refused."""
    return bool(findings(Told(tuple(args), env, PLACES), table))


@st.composite
def spelled(draw: st.DrawFn, name: str, value: str) -> list[str]:
    """One option and its value, in one of the ways that parsers take."""
    text = name
    if name.startswith("--"):
        body = "".join(draw(st.sampled_from("_-")) if c == "-" else c for c in name[2:])
        # Parsers that shorten take any beginning that means one thing.
        cut = draw(st.integers(min_value=max(2, len(body) - 6), max_value=len(body)))
        short = draw(st.sampled_from([body, body[:cut]]))
        # A beginning that is an option of its own means that one.
        text = f"--{body if f'--{short}'.replace('_', '-') in OPTIONS else short}"
        text += draw(st.sampled_from(["", "", "", ".a", ".a.b", "+", ".a+"]))
    how = draw(st.sampled_from(["joined", "apart", "glued"]))
    if how == "joined":
        return [f"{text}={value}"]
    return [text, value] if how == "apart" else [f"{text}{value}"]


@settings(max_examples=600)
@given(st.data())
def test_no_spelling_of_a_dangerous_option_passes(data: st.DataObject) -> None:
    """Underscores, dots, beginnings, glued and joined values, hidden in variables, after others."""
    table, name, option = data.draw(st.sampled_from(DANGEROUS), label="option")
    value = data.draw(ELSEWHERE, label="value")
    if option.arity is Arity.FLAG:
        args = [data.draw(spelled(name, ""))[0].rstrip("=")]
    else:
        args = data.draw(spelled(name, value), label="args")
    env: tuple[tuple[str, str | None], ...] = (("M", "/models"),)
    if data.draw(st.booleans(), label="in a variable"):
        env = (("M", "/models"), *((f"V{i}", arg) for i, arg in enumerate(args)))
        args = [f"$(V{i})" for i in range(len(args))]
    before = data.draw(st.sampled_from([[], ["--port", "8000"], ["--port=8000"]]), label="before")
    args = [*GOOD_START.get(table.kind, []), *before, *args]
    for judged in (table, TABLES[None]):
        assert refused(judged, args, env), (judged.title, args)


@settings(max_examples=400)
@given(
    st.sampled_from(NAMED),
    st.lists(
        st.text(max_size=12)
        | st.sampled_from(
            ["--model", "-m", "/models", "--port", "8000", "serve", "--", "-", "=", "$(X)", "--x="]
        ),
        max_size=6,
    ),
)
def test_anything_is_read_without_a_crash(table: Table, args: list[str]) -> None:
    """Whatever stands there: an answer. What loads from nowhere known is refused."""
    for judged in (table, TABLES[None], TABLES["other"]):
        refused(judged, args, (("X", None),))


@settings(max_examples=300)
@given(st.sampled_from(NAMED), st.from_regex(r"--[a-z]{1,12}(-[a-z]{1,6}){0,2}", fullmatch=True))
def test_an_option_that_is_not_listed_is_refused(table: Table, name: str) -> None:
    """Known means listed, in full."""
    if name not in table.options:
        assert refused(table, [*GOOD_START.get(table.kind, []), name])
        assert refused(table, [*GOOD_START.get(table.kind, []), f"{name}=1"])


def kubelet(text: str, values: dict[str, str]) -> str:
    """The kubelet's expansion, told a second time: one character after the other."""
    out, i = "", 0
    while i < len(text):
        if text[i] != "$" or i + 1 == len(text):
            out, i = out + text[i], i + 1
        elif text[i + 1] == "$":
            out, i = out + "$", i + 2
        elif text[i + 1] != "(":
            out, i = out + text[i : i + 2], i + 2
        elif ")" not in text[i:]:
            out, i = out + "$(", i + 2
        else:
            end = text.index(")", i)
            out, i = out + values.get(text[i + 2 : end], text[i : end + 1]), end + 1
    return out


@given(
    st.text(alphabet="$()aB=/", max_size=24),
    st.dictionaries(st.text(alphabet="(aB$", max_size=3), st.text(alphabet="$(a)x", max_size=4)),
)
def test_expansion_is_the_kubelets(text: str, values: dict[str, str]) -> None:
    """References, doubled dollars and brackets that never close come out as on the node."""
    assert expansion.expanded(text, values)[0] == kubelet(text, values)
