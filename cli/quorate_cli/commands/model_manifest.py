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
from quorate.evidence import dsse
from quorate.evidence.intoto.statement import parse_statement
from quorate.evidence.intoto.test_result import PREDICATE_TYPE as GATE_TYPE
from quorate.evidence.model_signing import PREDICATE_TYPE, manifest_of, parse_bundle
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
        "--bundle", type=Path, action="append", required=True, help="OMS bundle; repeatable"
    )
    parser.add_argument(
        "--gate", type=Path, action="append", default=[], help="signed gate; repeatable"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--source-image", metavar="REF", help="image volume with the model: repository@sha256:…"
    )
    source.add_argument("--source-pvc", metavar="NAME", help="PersistentVolumeClaim with the model")
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
    digest = _manifest_digest(arguments.bundle, bundles)
    for path, gate in zip(arguments.gate, gates, strict=True):
        _check_gate(path, gate["envelope"], digest)
    spec: dict[str, Any] = {
        "manifestDigest": digest,
        "source": (
            {"image": {"reference": arguments.source_image}}
            if arguments.source_image
            else {"persistentVolumeClaim": {"claimName": arguments.source_pvc}}
        ),
        "signatures": bundles,
    }
    if arguments.version:
        spec["version"] = arguments.version
    if arguments.dataset:
        spec["datasets"] = [{"id": name, "digest": value} for name, value in arguments.dataset]
    if owners := _owners(arguments):
        spec["owners"] = owners
    if gates:
        spec["evidence"] = gates
    document = {
        "apiVersion": names.API_VERSION,
        "kind": AttestedModel.kind_name,
        "metadata": {"name": arguments.name, "namespace": arguments.namespace},
        "spec": spec,
    }
    read(AttestedModel, document)
    text = yaml.safe_dump(document, sort_keys=False, width=2**31)
    return Result(text.rstrip("\n").split("\n"), document)


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


def _manifest_digest(paths: list[Path], bundles: list[dict[str, str]]) -> str:
    """What the bundles are about. Who signed is not checked here: the cluster does."""
    digests = set()
    for path, entry in zip(paths, bundles, strict=True):
        with _naming(path):
            payload = parse_bundle(entry["bundle"].encode()).payload
            digests.add(manifest_of(parse_statement(payload, PREDICATE_TYPE)).digest)
    if len(digests) > 1:
        raise SubjectMismatch("the bundles are about different models", field="--bundle")
    return digests.pop()


def _check_gate(path: Path, envelope: str, digest: str) -> None:
    with _naming(path):
        statement = parse_statement(dsse.parse(envelope.encode()).payload, GATE_TYPE)
    about = {f"sha256:{subject.digest.get('sha256')}" for subject in statement.subject}
    if digest not in about:
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
    ),
    arguments=_arguments,
    run=_run,
)
