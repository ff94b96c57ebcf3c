"""``push``: attach bundles and gate results to an image or model artifact in a registry."""

import asyncio
import os
import ssl
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate.api.v1alpha1.document_source import BUNDLE_TYPE, ENVELOPE_TYPE
from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.evidence.image_signing import COSIGN_SIGN_TYPE, statement_digest
from quorate.evidence.intoto import read_document
from quorate.evidence.model_signing import PREDICATE_TYPE, read_manifest
from quorate.evidence.oci import Reference, parse_reference
from quorate.evidence.signatures import claimed_payload, parse_bundle
from quorate_cli.command import Command, Result
from quorate_cli.files import read_file
from quorate_cli.progress import Progress
from quorate_io.registry import Credentials, RegistryClient, RegistryRules, parse_credentials
from quorate_io.registry.credentials import CONFIG_BYTES
from quorate_io.registry.publication import Publication

_PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"
"""By it, tools that list referrers show what a document says without fetching it."""


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("reference", metavar="REFERENCE", help="registry/repository@sha256:…")
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], help="OMS bundle, or an image's"
    )
    parser.add_argument("--gate", type=Path, action="append", default=[], help="signed evidence")
    parser.add_argument(
        "--docker-config", type=Path, metavar="FILE", help="credentials (~/.docker/config.json)"
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="authority to trust besides (PEM)")
    parser.add_argument("--plain-http", action="store_true", help="ask the registry without TLS")


def _run(arguments: Namespace, _progress: Progress) -> Result:
    reference = parse_reference(arguments.reference)
    documents = [_bundle(path, reference) for path in arguments.bundle]
    documents += [_gate(path) for path in arguments.gate]
    if not documents:
        raise InvalidInput("must name what to attach", field="--bundle, --gate")
    hosts = frozenset({reference.registry})
    rules = RegistryRules(hosts, hosts if arguments.plain_http else frozenset())
    credentials = _credentials(arguments.docker_config)
    context = ssl.create_default_context()
    if arguments.ca:
        context.load_verify_locations(cafile=arguments.ca)
    client = RegistryClient(rules, credentials, context)
    digests = asyncio.run(_push(client, rules, credentials, reference, documents))
    paths = [*arguments.bundle, *arguments.gate]
    return Result(
        [f"attached {path} as {d}" for path, d in zip(paths, digests, strict=True)],
        {"reference": str(reference), "referrers": digests},
    )


_Document = tuple[bytes, str, str]
"""Bytes, artifact type, predicate type."""


def _bundle(path: Path, reference: Reference) -> _Document:
    data = read_file(path)
    statement = parse_object(claimed_payload(parse_bundle(data)), what=str(path))
    if statement.get("predicateType") != COSIGN_SIGN_TYPE:
        read_manifest(data)
        return data, BUNDLE_TYPE, PREDICATE_TYPE
    digest = statement_digest(claimed_payload(parse_bundle(data)))
    if digest != reference.digest:
        raise InvalidInput(f"is about the image {digest}", field=str(path))
    return data, BUNDLE_TYPE, COSIGN_SIGN_TYPE


def _gate(path: Path) -> _Document:
    data = read_file(path)
    return data, ENVELOPE_TYPE, read_document(data).statement.predicate_type


def _credentials(path: Path | None) -> Credentials:
    if path is None:
        folder = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
        path = folder / "config.json"
        if not path.exists():
            return Credentials()
    return parse_credentials(read_file(path, CONFIG_BYTES))


async def _push(
    client: RegistryClient,
    rules: RegistryRules,
    credentials: Credentials,
    reference: Reference,
    documents: list[_Document],
) -> list[str]:
    async with client:
        publication = Publication(client.opened(), rules, credentials, reference)
        return [
            await publication.attach(data, kind, {_PREDICATE_ANNOTATION: predicate})
            for data, kind, predicate in documents
        ]


COMMAND = Command(
    words=("push",),
    summary="attach bundles and gate results to an image in a registry",
    description=(
        "Attach signed documents to an image or model artifact, as OCI referrers. An\n"
        "AttestedModel then names the reference in signaturesFrom and evidenceFrom, and the\n"
        "operator reads them from there. A policy that names the image's repository in\n"
        "model.servers[].signatureRepository finds the image's own signatures there. Attaching\n"
        "the same again changes nothing."
    ),
    examples=(
        "push registry.example.com/models/demo@sha256:… --bundle model.bundle.json \\\n"
        "      --gate gate.json",
    ),
    arguments=_arguments,
    run=_run,
)
