"""``model manifest``: print the AttestedModel to apply."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from quorate import names
from quorate.api.v1alpha1 import AttestedModel
from quorate.api.v1alpha1.meta import read
from quorate.errors import InvalidInput, QuorateError, SubjectMismatch
from quorate.evidence.intoto import TYPES, read_document
from quorate.evidence.model_signing import read_manifest
from quorate.evidence.oci import parse_reference
from quorate.manifest import check_digest
from quorate_cli.command import Command, Result
from quorate_cli.files import read_file
from quorate_cli.progress import Progress

_OWNERS = ("model", "safety", "infra")


def _pair(form: str) -> Callable[[str], tuple[str, str]]:
    """A reader of two words with ``=`` between them, written as in ``form``."""

    def read_pair(text: str) -> tuple[str, str]:
        left, equals, right = text.partition("=")
        if not (left and equals and right):
            raise ArgumentTypeError(f"must be written {form}, not {text!r}")
        return left, right

    return read_pair


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Several files are given: put the one that is wrong before the field."""
    try:
        yield
    except QuorateError as error:
        field = f"{path}: {error.field}" if error.field else str(path)
        raise type(error)(error.message, field=field, fix=error.fix) from None


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="name of the AttestedModel")
    parser.add_argument("--namespace", required=True, help="namespace of the pods that serve it")
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], help="OMS bundle; repeatable"
    )
    parser.add_argument(
        "--manifest-digest", metavar="DIGEST", help="the model, as sha256:…, without a --bundle"
    )
    parser.add_argument(
        "--gate",
        type=Path,
        action="append",
        default=[],
        help="signed gate or other evidence; repeatable",
    )
    for what, field in (("signatures", "bundles"), ("evidence", "signed gates")):
        parser.add_argument(
            f"--{what}-from",
            metavar="PLACE",
            action="append",
            default=[],
            help=f"where {field} are kept: registry/repository@sha256:… for what is attached to "
            "it, or configmap/NAME/KEY; repeatable",
        )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--source-image", metavar="REF", help="image volume with the model: repository@sha256:…"
    )
    source.add_argument("--source-pvc", metavar="NAME", help="PersistentVolumeClaim with the model")
    source.add_argument(
        "--source-directory",
        metavar="VOLUME",
        help="emptyDir of the pod that an init container fills before it is measured",
    )
    source.add_argument("--source-host-path", metavar="PATH", help="directory of the node")
    parser.add_argument("--version", default="", help="the model's version, as people call it")
    parser.add_argument(
        "--dataset",
        metavar="ID=DIGEST",
        type=_pair("ID=DIGEST"),
        action="append",
        default=[],
        help="dataset it was trained on, digest as sha256:…; repeatable",
    )
    for owner in _OWNERS:
        parser.add_argument(
            f"--owner-{owner}",
            metavar="TEAM=CONTACT",
            type=_pair("TEAM=CONTACT"),
            help=f"who answers for the {owner}; all three owners or none",
        )


def _run(arguments: Namespace, _progress: Progress) -> Result:
    bundles = _documents(arguments.bundle, "bundle")
    gates = _documents(arguments.gate, "envelope")
    digest = _manifest_digest(arguments.bundle, bundles, arguments.manifest_digest)
    for path, gate in zip(arguments.gate, gates, strict=True):
        _check_gate(path, gate["envelope"], digest)
    spec: dict[str, Any] = {
        "manifestDigest": digest,
        "source": _source(arguments),
    }
    if bundles:
        spec["signatures"] = bundles
    elif not arguments.signatures_from:
        raise InvalidInput("must say who signed", field="--bundle, --signatures-from")
    if arguments.version:
        spec["version"] = arguments.version
    if arguments.dataset:
        spec["datasets"] = [{"id": name, "digest": value} for name, value in arguments.dataset]
    if owners := _owners(arguments):
        spec["owners"] = owners
    if gates:
        spec["evidence"] = gates
    for field, places in (
        ("signaturesFrom", arguments.signatures_from),
        ("evidenceFrom", arguments.evidence_from),
    ):
        if places:
            spec[field] = [_place(place, number) for number, place in enumerate(places, 1)]
    document = {
        "apiVersion": names.API_VERSION,
        "kind": AttestedModel.kind_name,
        "metadata": {"name": arguments.name, "namespace": arguments.namespace},
        "spec": spec,
    }
    read(AttestedModel, document)
    text = yaml.safe_dump(document, sort_keys=False, width=2**31)
    return Result(text.rstrip("\n").split("\n"), document)


def _source(arguments: Namespace) -> dict[str, Any]:
    if arguments.source_image:
        return {"image": {"reference": arguments.source_image}}
    if arguments.source_directory:
        return {"directory": {"volumeName": arguments.source_directory}}
    if arguments.source_host_path:
        return {"hostPath": {"path": arguments.source_host_path}}
    return {"persistentVolumeClaim": {"claimName": arguments.source_pvc}}


def _documents(paths: list[Path], key: str) -> list[dict[str, str]]:
    """The files as list entries, each named after its file; names are made unique."""
    entries: list[dict[str, str]] = []
    used: set[str] = set()
    for path in paths:
        stem = re.sub(r"[^a-z0-9]+", "-", path.name.lower().split(".")[0]).strip("-")[:50]
        name = stem = stem or key
        number = 1
        while name in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name)
        try:
            text = read_file(path).decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidInput("is not UTF-8", field=str(path)) from None
        entries.append({"name": name, key: text})
    return entries


def _place(text: str, number: int) -> dict[str, Any]:
    """A source: referrers of a reference, or a document in a ConfigMap."""
    kind, _, rest = text.partition("/")
    name, slash, key = rest.partition("/")
    if kind == "configmap":
        if not (name and slash and key):
            raise InvalidInput("must be configmap/NAME/KEY", field=text)
        return {"name": f"configmap-{number}", "configMap": {"name": name, "key": key}}
    reference = str(parse_reference(text))
    return {"name": f"registry-{number}", "ociReferrers": {"reference": reference}}


def _manifest_digest(paths: list[Path], bundles: list[dict[str, str]], given: str | None) -> str:
    """What the bundles are about. Who signed is not checked here: the cluster does."""
    digests = {check_digest(given, "--manifest-digest")} if given else set()
    for path, entry in zip(paths, bundles, strict=True):
        with _naming(path):
            digests.add(read_manifest(entry["bundle"].encode()).digest)
    if len(digests) > 1:
        raise SubjectMismatch("the bundles are about different models", field="--bundle")
    if not digests:
        raise InvalidInput("must name the model", field="--bundle, --manifest-digest")
    return digests.pop()


def _check_gate(path: Path, envelope: str, digest: str) -> None:
    with _naming(path):
        statement = read_document(envelope.encode()).statement
    if statement.predicate_type not in TYPES:
        raise SubjectMismatch("is of no type a gate may ask for", field=str(path))
    if digest not in statement.manifests:
        raise SubjectMismatch("is about another model than the bundles", field=str(path))


def _owners(arguments: Namespace) -> dict[str, dict[str, str]]:
    given = {owner: getattr(arguments, f"owner_{owner}") for owner in _OWNERS}
    if any(given.values()) and not all(given.values()):
        raise InvalidInput("must be given for model, safety and infra", field="--owner-…")
    return {owner: {"name": pair[0], "contact": pair[1]} for owner, pair in given.items() if pair}


COMMAND = Command(
    words=("model", "manifest"),
    summary="print the AttestedModel to apply",
    description=(
        "Print the AttestedModel object for a signed model and its gates, as YAML for\n"
        "`kubectl apply -f -`. Bundles and gates must be about the same files; their signatures\n"
        "are checked by the cluster, against the keys its policies name."
    ),
    examples=(
        "model manifest --name demo --namespace team-a --bundle model.bundle.json \\\n"
        "      --gate gate.json --source-pvc demo-weights | kubectl apply -f -",
        "model manifest --name demo --namespace team-a --manifest-digest sha256:… \\\n"
        "      --source-image $IMAGE --signatures-from $IMAGE --evidence-from $IMAGE",
    ),
    arguments=_arguments,
    run=_run,
)
