"""``python -m tools.gen``: writes what differs; with --check reports it and changes nothing."""

from pathlib import Path

import pytest

from tools.gen import __main__ as program


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty tree and a generator of two files."""
    files = {Path("a/one.yaml"): "one\n", Path("two.yaml"): "two\n"}
    monkeypatch.setattr(program, "ROOT", tmp_path)
    monkeypatch.setattr(program, "generate", lambda: files)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the program; returns its exit code."""
    monkeypatch.setattr("sys.argv", ["tools.gen", *arguments])
    return program.main()


@pytest.mark.requirement("drift of generated files fails the check")
def test_check_reports_drift_and_writes_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 with the files that differ, until they are written; then 0."""
    assert run(monkeypatch, "--check") == 1
    assert "differs: a/one.yaml" in capsys.readouterr().out
    assert list(tree.iterdir()) == []
    assert run(monkeypatch) == 0
    assert (tree / "a/one.yaml").read_text("utf-8") == "one\n"
    assert run(monkeypatch, "--check") == 0
    (tree / "two.yaml").write_text("changed by hand\n", encoding="utf-8")
    assert run(monkeypatch, "--check") == 1
