"""Connecting and reading: errors have their reasons, and what is named stays a name."""

import argparse
import json
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
import yaml

from quorate.errors import InvalidInput, Unavailable
from quorate_cli.cluster import api_reader, kinds
from quorate_cli.cluster.api_reader import ApiReader
from quorate_cli.cluster.connection import add_arguments, connect
from quorate_cli.cluster.reader import NotPermitted, NotServed
from tests.fakes.vouching import NOW


def kubeconfig(path: Path, **context: str) -> Path:
    """A kubeconfig for a server that is not there."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [
            {"name": "main", "context": {"cluster": "c", "user": "u"} | context},
            {"name": "other", "context": {"cluster": "c", "user": "u", "namespace": "there"}},
        ],
        "current-context": "main",
    }
    path.write_text(yaml.safe_dump(document))
    return path


def connected(*arguments: object) -> Any:
    """Connect with these flags."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, namespace=True)
    return connect(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture(autouse=True)
def no_cluster_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig of whoever runs the tests is used."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_namespace_is_the_context_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl: the flag, else the chosen context's namespace, else default."""
    path = kubeconfig(tmp_path / "config")
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert connected().namespace == "default"
    assert connected("--context", "other").namespace == "there"
    assert connected("-n", "here").namespace == "here"
    kubeconfig(path, namespace="mine")
    assert connected().namespace == "mine"


def test_several_kubeconfigs_merge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBECONFIG may list files, some of which do not exist."""
    path = kubeconfig(tmp_path / "config", namespace="mine")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'absent'}:{path}")
    assert connected().namespace == "mine"


@pytest.mark.parametrize("text", [None, "", "a: [", "just text", "{apiVersion: v1, kind: Config}"])
def test_unusable_kubeconfigs(tmp_path: Path, text: str | None) -> None:
    """A kubeconfig that is missing or nonsense is one error with a fix."""
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Unavailable, match="no usable kubeconfig") as caught:
        connected("--kubeconfig", path)
    assert "--kubeconfig" in caught.value.fix


def test_unknown_context(tmp_path: Path) -> None:
    """A context that is not there is named."""
    with pytest.raises(Unavailable, match="nowhere"):
        connected("--kubeconfig", kubeconfig(tmp_path / "config"), "--context", "nowhere")


@pytest.mark.parametrize("namespace", ["../x", "a/b", "a?b", "", " "])
def test_namespace_is_a_name(tmp_path: Path, namespace: str) -> None:
    """What is no name never becomes part of a path; an empty one is the default."""
    path = kubeconfig(tmp_path / "config")
    if not namespace:
        assert connected("--kubeconfig", path, "-n", namespace).namespace == "default"
        return
    with pytest.raises(InvalidInput):
        connected("--kubeconfig", path, "-n", namespace)


def test_server_that_is_not_there(tmp_path: Path) -> None:
    """No answer is Unavailable, at once, with the server's address."""
    reader = connected("--kubeconfig", kubeconfig(tmp_path / "config")).reader
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be reached"):
        reader.get(kinds.NAMESPACE, "default")


class Answers:
    """A client whose API server gives prepared answers, and remembers what was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.configuration = SimpleNamespace(host="https://api.test")
        self.waiting = list(answers)
        self.asked: list[str] = []

    def param_serialize(self, method: str, path: str, **_: Any) -> tuple[str, str]:
        assert method == "GET"
        self.asked.append(path)
        return method, path

    def call_api(self, *_: Any, **__: Any) -> Any:
        status, body = self.waiting.pop(0)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        raw = SimpleNamespace(
            status=status,
            headers={"Date": format_datetime(NOW, usegmt=True)},
            read=lambda *_, **__: data,
            release_conn=lambda: None,
        )
        return SimpleNamespace(response=raw)


def test_lists_are_read_to_the_end() -> None:
    """Pages are followed, and each item carries its kind as a single object does."""
    pages = Answers(
        (200, {"metadata": {"continue": "next page"}, "items": [{"metadata": {"name": "a"}}]}),
        (200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}),
    )
    found = list(ApiReader(pages).each(kinds.ATTESTED_MODEL, "team-a", labels="x"))  # type: ignore[arg-type]
    assert [(d["kind"], d["apiVersion"]) for d in found] == [
        ("AttestedModel", "quorate.dev/v1alpha1")
    ] * 2
    first, second = pages.asked
    assert first.startswith("/apis/quorate.dev/v1alpha1/namespaces/team-a/attestedmodels?limit=")
    assert "labelSelector=x" in first
    assert second.endswith("continue=next+page")


def test_names_are_quoted_in_paths() -> None:
    """Whatever a name holds, it stays one part of the path."""
    answers = Answers((404, {}))
    assert ApiReader(answers).get(kinds.POD, "../../secrets?x", "a/b") is None  # type: ignore[arg-type]
    assert answers.asked == ["/api/v1/namespaces/a%2Fb/pods/..%2F..%2Fsecrets%3Fx"]


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((403, {"message": "no"}), NotPermitted, "you may not list pods in namespace team-a"),
        ((404, {}), NotServed, "does not serve pods"),
        ((401, {}), Unavailable, "does not accept your credentials"),
        ((500, {"message": "etcd is away"}), Unavailable, "answered 500: etcd is away"),
        ((502, b"<html>proxy</html>"), Unavailable, "answered 502: no reason given"),
        ((200, b"not json"), Unavailable, "is not an object"),
        ((200, b"[" * 100_000), Unavailable, "is not an object"),
        ((200, ["a list"]), Unavailable, "is not an object"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, tuple) else "",
)
def test_answers_that_are_none(answer: Any, error: type[Exception], says: str) -> None:
    """Every answer that is no list is an error with its reason."""
    with pytest.raises(error, match=says):
        list(ApiReader(Answers(answer)).each(kinds.POD, "team-a"))  # type: ignore[arg-type]


def test_answers_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer without end is refused before it fills the memory."""
    monkeypatch.setattr(api_reader, "PAGE_BYTES", 10)
    with pytest.raises(Unavailable, match="more than 10 bytes"):
        ApiReader(Answers((200, b"x" * 11))).get(kinds.POD, "a", "b")  # type: ignore[arg-type]


def test_lists_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list whose pages never end is given up."""
    monkeypatch.setattr(api_reader, "LISTED_MAX", 3)
    page = (200, {"metadata": {"continue": "c"}, "items": [{"metadata": {"name": "a"}}]})
    with pytest.raises(Unavailable, match="more than 3 pods"):
        list(ApiReader(Answers(*[page] * 5)).each(kinds.POD))  # type: ignore[arg-type]


def test_clock_is_the_answer_s_date() -> None:
    """The API server's time comes from an answer's header."""
    server, here = ApiReader(Answers((200, {}))).clock()  # type: ignore[arg-type]
    assert server == NOW
    assert here.tzinfo is not None


def test_errors_of_the_transport_are_one_error() -> None:
    """Whatever breaks below, the message names the server and the cause."""

    class Broken(Answers):
        def call_api(self, *_: Any, **__: Any) -> Any:
            raise urllib3.exceptions.ProtocolError("Connection aborted.\nTwice.")

    with pytest.raises(Unavailable, match=r"https://api\.test cannot be reached: .*aborted"):
        ApiReader(Broken()).version()  # type: ignore[arg-type]
