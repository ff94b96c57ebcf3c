"""Good and bad objects, judged by a real API server under a dry run."""

from pathlib import Path

import pytest

from tests.contract.crds.installed import cluster_with_crds
from tools.demo.cluster import ROOT, CommandFailed

ASSETS = ROOT / "tests/assets/crd"
GOOD = [
    *sorted((ASSETS / "good").glob("*.yaml")),
    *sorted((ROOT / "examples/policies").rglob("*.yaml")),
]
BAD = sorted((ASSETS / "bad").glob("*.yaml"))
APPLY = ("apply", "--dry-run=server", "--validate=strict", "-f")

pytestmark = pytest.mark.cluster


@pytest.mark.requirement("CRDs: good and bad objects under server-side dry run")
@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_object_is_accepted(file: Path) -> None:
    """The API server takes the object as it is."""
    assert "(server dry run)" in cluster_with_crds().kubectl(*APPLY, str(file))


@pytest.mark.requirement("CRDs: CEL validations with messages in must form")
@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_bad_object_is_refused_with_its_reason(file: Path) -> None:
    """The API server refuses the object, and says what the file's first line says it says."""
    expected = file.read_text("utf-8").splitlines()[0].removeprefix("# ")
    with pytest.raises(CommandFailed) as caught:
        cluster_with_crds().kubectl(*APPLY, str(file))
    assert expected in caught.value.output
