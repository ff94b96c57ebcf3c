"""Where a model may live: what the policies allow, who may write it, and until when."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from quorate.admission import injection, validate
from quorate.policy.intersect import allowed_sources
from quorate.verdict import Reason
from tests.fakes.vouching import FETCHER_DIGEST, policy
from tests.unit.admission.pod_builder import FETCHER_IMAGE, PodBuilder
from tests.unit.admission.world import FLOOR, World

Document = dict[str, Any]
Change = Callable[[Document], Any]
ALL = ["Image", "ReadOnlyClaim", "ReadWriteClaim", "Directory", "HostPath"]


def world(source: Document, sources: list[str] | None, *modes: str) -> World:
    """A model from ``source``, under a platform policy that allows ``sources``."""
    found = World()
    model = FLOOR["model"] | ({"sources": sources} if sources else {})
    found.put_policy(policy(FLOOR | {"model": model}))
    found.put_model(source=source)
    if modes:
        metadata = {"namespace": "team-a", "name": "weights"}
        found.store.put_claim({"metadata": metadata, "spec": {"accessModes": list(modes)}})
    return found


def fetcher(read_only: bool = False) -> Document:
    """An init container that fills the model's volume."""
    mount: Document = {"name": "model", "mountPath": "/mnt/models"}
    mount |= {"readOnly": True} if read_only else {}
    return {
        "name": "fetch",
        "image": FETCHER_IMAGE,
        "args": ["s3://bucket/model", "/mnt/models"],
        "volumeMounts": [mount],
    }


def with_volume(volume: Document, *init: Document) -> Change:
    """The model's volume is this, and these init containers stand before the injected ones."""

    def change(pod: Document) -> None:
        pod["spec"]["volumes"][0] = {"name": "model", **volume}
        if init:
            pod["spec"]["initContainers"] = [copy.deepcopy(container) for container in init]

    return change


def reasons(found: World, *changes: Change) -> list[Reason]:
    builder = PodBuilder(found.snapshot)
    for change in changes:
        builder = builder.written(change)
    verdict = validate.may_run(builder.build(), found.snapshot, found.now).verdict
    return [denial.reason for denial in verdict.denials]


DIRECTORY: Document = {"directory": {"volumeName": "model"}}
HOST: Document = {"hostPath": {"path": "/srv/models/demo"}}
CLAIM: Document = {"persistentVolumeClaim": {"claimName": "weights"}}
EMPTY: Document = {"emptyDir": {}}
NODE: Document = {"hostPath": {"path": "/srv/models/demo", "type": "Directory"}}
BOUND: Document = {"persistentVolumeClaim": {"claimName": "weights"}}


@pytest.mark.requirement("init-container download directories, measured before the model starts")
def test_a_directory_filled_by_a_downloader_passes() -> None:
    """The policy allows it, its image is named, it stands before measuring, the server reads."""
    found = world(DIRECTORY, ALL)
    assert reasons(found, with_volume(EMPTY, fetcher())) == []
    pod = PodBuilder(found.snapshot).written(with_volume(EMPTY, fetcher())).build()
    names = [container["name"] for container in pod["spec"]["initContainers"]]
    assert names == ["fetch", "quorate-measure", "quorate-sidecar"]
    expected = injection.containers(found.snapshot.injection, "model")
    assert tuple(pod["spec"]["initContainers"][1:]) == expected


@pytest.mark.parametrize(
    ("source", "volume", "init"),
    [(DIRECTORY, EMPTY, [fetcher()]), (HOST, NODE, []), (CLAIM, BOUND, [])],
    ids=["directory", "host path", "read-write claim"],
)
def test_what_can_change_is_off_by_default(
    source: Document, volume: Document, init: list[Document]
) -> None:
    """Only a ClusterSafetyPolicy turns it on; no other one does."""
    off = world(source, None, "ReadWriteMany")
    assert set(reasons(off, with_volume(volume, *init))) <= {
        Reason.SOURCE_NOT_ALLOWED,
        Reason.MODEL_MOUNT_WRITABLE,
    }
    assert reasons(off, with_volume(volume, *init))
    tenant = policy({"model": {"sources": ALL}}, name="own", namespace="team-a")
    off.put_policy(tenant)
    off.put_model(source=source)
    assert reasons(off, with_volume(volume, *init))
    assert reasons(world(source, ALL, "ReadWriteMany"), with_volume(volume, *init)) == []


@pytest.mark.parametrize("modes", [("ReadWriteMany",), ("ReadWriteOnce",), ("ReadOnlyMany",)])
def test_a_claim_others_may_write(modes: tuple[str, ...]) -> None:
    """It is watched while served; the server itself still mounts it read-only."""
    found = world(CLAIM, ["ReadWriteClaim", "ReadOnlyClaim"], *modes)
    assert reasons(found, with_volume(BOUND)) == []

    def writes(pod: Document) -> None:
        del pod["spec"]["containers"][0]["volumeMounts"][0]["readOnly"]

    assert reasons(found, with_volume(BOUND), writes) == [Reason.MODEL_MOUNT_WRITABLE]


def spoiled(pod: Document) -> Document:
    container: Document = pod["spec"]["initContainers"][0]
    return container


BYPASSES: list[tuple[str, Change, set[Reason]]] = [
    (
        "an image the policies do not name as downloader",
        lambda pod: spoiled(pod).update(image=f"x@sha256:{'9' * 64}"),
        {Reason.SERVER_NOT_ALLOWED, Reason.MODEL_MOUNT_WRITABLE, Reason.MODEL_NOT_MOUNTED},
    ),
    (
        "a downloader that stays as a native sidecar",
        lambda pod: spoiled(pod).update(restartPolicy="Always"),
        {Reason.EXTRA_CONTAINER},
    ),
    (
        "a downloader with a command of its own",
        lambda pod: spoiled(pod).update(command=["sh", "-c", "id"]),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "a downloader's image as the server",
        lambda pod: pod["spec"]["containers"][0].update(image=FETCHER_IMAGE),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "nobody fills it",
        lambda pod: pod["spec"].update(initContainers=[]),
        {Reason.MODEL_NOT_MOUNTED},
    ),
    (
        "the server may write it",
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"][0].pop("readOnly"),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "an emptyDir that downloader and server share",
        lambda pod: spoiled(pod)["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"}),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "another volume mounted inside the model",
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"][1].update(
            mountPath="/models/adapters"
        ),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "another volume mounted inside the model, spelled otherwise",
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"][1].update(
            mountPath="//models/./x/../adapters/"
        ),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "mounts of the node that appear later",
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"][0].update(
            mountPropagation="HostToContainer"
        ),
        {Reason.MODEL_MOUNT_WRITABLE},
    ),
    (
        "started where modules are looked for",
        lambda pod: pod["spec"]["containers"][0].update(workingDir="/tmp"),
        {Reason.SERVER_NOT_ALLOWED},
    ),
    (
        "another kind of volume under the name",
        lambda pod: pod["spec"]["volumes"][0].update(configMap={"name": "x"}),
        {Reason.VOLUME_NOT_ALLOWED},
    ),
]


@pytest.mark.requirement("bypass 2, 27: what writes the model ends before it is measured")
@pytest.mark.parametrize(
    ("change", "expected"), [case[1:] for case in BYPASSES], ids=[case[0] for case in BYPASSES]
)
def test_ways_around_a_download_directory(change: Change, expected: set[Reason]) -> None:
    """Whoever else could write what is served, or hide it, is refused."""
    found = reasons(world(DIRECTORY, ALL), with_volume(EMPTY, fetcher()), change)
    assert found
    assert set(found) <= expected


def test_a_downloader_that_came_after_measuring_is_refused() -> None:
    """The injected containers stand last, so that nothing writes behind them."""
    found = world(DIRECTORY, ALL)
    builder = PodBuilder(found.snapshot).written(with_volume(EMPTY, fetcher()))

    def late(pod: Document) -> None:
        pod["spec"]["initContainers"].append(fetcher() | {"name": "late"})

    verdict = validate.may_run(builder.tampered(late).build(), found.snapshot, found.now).verdict
    assert Reason.NOT_INJECTED in {denial.reason for denial in verdict.denials}


@pytest.mark.parametrize(
    "volume",
    [
        {"hostPath": {"path": "/srv/models/demo", "type": "DirectoryOrCreate"}},
        {"hostPath": {"path": "/srv/models/other"}},
        {"hostPath": {"path": "/srv/models/demo/"}},
        {"hostPath": {"path": "/"}},
    ],
    ids=str,
)
def test_another_directory_of_the_node_is_refused(volume: Document) -> None:
    """It is the very path, and a directory."""
    assert reasons(world(HOST, ALL), with_volume(volume))


def test_a_nodes_directory_is_never_written() -> None:
    """Not even by a downloader."""
    found = reasons(world(HOST, ALL), with_volume(NODE, fetcher()))
    assert found == [Reason.MODEL_MOUNT_WRITABLE]


def test_a_downloader_that_is_a_server_too_runs_as_no_init_container() -> None:
    """Named as both it would serve before anything was measured."""
    found = world({"directory": {"volumeName": "model"}}, ALL)
    servers = [{"name": "both", "digest": FETCHER_DIGEST}, *FLOOR["model"]["servers"]]
    model = FLOOR["model"] | {"servers": servers, "sources": ALL}
    found.put_policy(policy(FLOOR | {"model": model}))
    found.put_model(source={"directory": {"volumeName": "model"}})
    assert reasons(found, with_volume(EMPTY, fetcher())) == [Reason.SERVER_NOT_ALLOWED]


@pytest.mark.parametrize("path", ["/srv/../etc", "/srv//x", "srv/x", "/", "/srv/", "/srv/./x"])
def test_a_path_is_written_in_one_way(path: str) -> None:
    """An AttestedModel with another one cannot be read, so its pods are refused."""
    found = World()
    found.put_policy(policy(FLOOR))
    with pytest.raises(AssertionError):
        found.put_model(source={"hostPath": {"path": path}})


def test_policies_narrow_what_the_platform_allows() -> None:
    """Intersected; a tenant's own policy never adds to what holds without it."""
    found = World()
    wide = found.put_policy(policy(FLOOR | {"model": FLOOR["model"] | {"sources": ALL}}))
    silent = found.put_policy(policy(FLOOR, name="silent"))
    own = found.put_policy(policy({"model": {"sources": ["Image", "HostPath"]}},
                                  name="own", namespace="team-a"))  # fmt: skip
    assert allowed_sources((wide,)) == frozenset(ALL)
    assert allowed_sources((silent,)) == {"Image", "ReadOnlyClaim"}
    assert allowed_sources((wide, silent, own)) == {"Image", "HostPath"}
    assert allowed_sources((silent, own)) == {"Image"}
