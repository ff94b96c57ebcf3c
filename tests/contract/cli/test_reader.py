"""The reader against a real API server."""

import argparse
from datetime import timedelta

import pytest

from quorate_cli.cluster import api_reader, kinds
from quorate_cli.cluster.connection import add_arguments, connect
from quorate_cli.cluster.reader import NotServed, Reader
from tests.contract.cli.conftest import Installed

pytestmark = [pytest.mark.cluster]


@pytest.fixture
def reader(installed: Installed) -> Reader:
    """A reader with an administrator's rights."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, namespace=False)
    return connect(parser.parse_args(["--kubeconfig", str(installed.plane.kubeconfig)])).reader


def test_every_kind_is_served_where_it_is_looked_for(reader: Reader) -> None:
    """No path is mistyped: each kind can be listed, and an object that is not there is None."""
    for kind in (k for k in vars(kinds).values() if isinstance(k, kinds.Kind)):
        assert isinstance(list(reader.each(kind, "team-a")), list)
        assert reader.get(kind, "not-there", "team-a") is None


def test_pages_make_one_list(
    reader: Reader, installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list over many pages is whole, and each item knows its kind."""
    names = {f"page-{index}" for index in range(7)}
    installed.apply(
        *(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": n, "namespace": "elsewhere"},
            }
            for n in sorted(names)
        )
    )
    monkeypatch.setattr(api_reader, "PAGE", 2)
    found = list(reader.each(kinds.CONFIG_MAP, "elsewhere"))
    assert {d["metadata"]["name"] for d in found} >= names
    assert {(d["apiVersion"], d["kind"]) for d in found} == {("v1", "ConfigMap")}


def test_selectors_select(reader: Reader) -> None:
    """Label and field selectors reach the API server."""
    found = list(reader.each(kinds.NAMESPACE, labels="quorate.dev/mode"))
    assert [d["metadata"]["name"] for d in found] == ["team-a"]
    fields = "metadata.name=chat"
    assert len(list(reader.each(kinds.POD, "team-a", fields=fields))) == 1


def test_kind_that_is_not_served(reader: Reader) -> None:
    """A kind the API server does not know is told apart from an empty list."""
    kind = kinds.Kind("Nothing", "quorate.dev", "v1alpha1", "nothings", True)
    with pytest.raises(NotServed):
        list(reader.each(kind, "team-a"))


def test_version_and_clock(reader: Reader) -> None:
    """The version is one doctor understands, and the clock is this machine's."""
    assert reader.version().startswith("v1.")
    server, here = reader.clock()
    assert abs(server - here) < timedelta(seconds=5)
