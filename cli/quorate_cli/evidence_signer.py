"""Signing statements about a model: which model is meant, and nothing that would not verify."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate import names
from quorate.evidence import dsse
from quorate.evidence.intoto import Evidence, read_document, verify_document
from quorate.evidence.signatures import SignerSet
from quorate.manifest import check_digest
from quorate.ports import Signer
from quorate.predicates import PredicateUri
from quorate_cli.files import write_file
from quorate_cli.progress import Progress
from quorate_io.measuring import measure_directory


def add_model(parser: ArgumentParser) -> None:
    """``--manifest-digest`` or ``--model``: exactly one."""
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--manifest-digest", metavar="DIGEST", help="the model, as sha256:…")
    model.add_argument("--model", metavar="DIR", type=Path, help="the model's directory")


def model_digest(arguments: Namespace, progress: Progress) -> str:
    """The manifest digest of the model that was named. Raises InvalidInput."""
    if arguments.manifest_digest is not None:
        return check_digest(arguments.manifest_digest, "--manifest-digest")
    workers = os.cpu_count() or 1
    return measure_directory(arguments.model, workers=workers, progress=progress).digest


def add_key(parser: ArgumentParser) -> None:
    """``--key``, ``--password-file`` and ``--out``."""
    parser.add_argument("--key", type=Path, required=True, help="private key of the producer")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="where to write")


def sign_statement(
    payload: bytes, kind: PredicateUri, signer: Signer, out: Path, *others: dsse.Signature
) -> Evidence:
    """Sign ``payload`` beside the signatures of ``others`` and write the envelope.

    What cannot be verified must not leave: it is verified first.
    """
    signature = dsse.Signature(
        signer.sign(dsse.pae(names.INTOTO_TYPE, payload)), signer.public_key.key_id
    )
    envelope = dsse.Envelope(names.INTOTO_TYPE, payload, (*others, signature)).encode()
    evidence = verify_document(read_document(envelope), kind, SignerSet((signer.public_key,)))
    write_file(out, envelope)
    return evidence
