"""``gate``: sign the result of a safety gate."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate import names
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence import dsse
from quorate.evidence.intoto import gate_statement, verify_gate
from quorate.evidence.intoto.statement import parse_statement
from quorate.evidence.model_signing import PREDICATE_TYPE, manifest_of, parse_bundle
from quorate.manifest import Manifest, check_digest, differences
from quorate_cli.command import Command, Result
from quorate_cli.files import check_target, read_file, read_password, read_signer, write_file
from quorate_cli.progress import Progress
from quorate_cli.report import parse_report
from quorate_io.measuring import measure_directory


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--report", type=Path, required=True, help="report of the evaluation (JSON)"
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--manifest-digest", metavar="DIGEST", help="the model, as sha256:…")
    model.add_argument("--model", metavar="DIR", type=Path, help="the model's directory")
    model.add_argument(
        "--bundle",
        type=Path,
        help="the model's OMS bundle; its signature is not checked, so the report must list files",
    )
    parser.add_argument("--key", type=Path, required=True, help="private key of the producer")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="where to write")


def _run(arguments: Namespace, progress: Progress) -> Result:
    check_target(arguments.out)
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    run, reported = parse_report(read_file(arguments.report))
    digest = _model(arguments, reported, progress)
    envelope = dsse.sign(gate_statement(run, digest), names.INTOTO_TYPE, [signer])
    # What cannot be verified must not leave.
    gate = verify_gate(envelope, [signer.public_key], 1)
    write_file(arguments.out, envelope)
    return Result(
        [
            f"signed the result {gate.result} into {arguments.out}",
            f"manifest digest: {digest}",
            f"suite:           {gate.suite}",
            f"tests:           {len(gate.passed_tests)} passed, "
            f"{len(gate.warned_tests)} warned, {len(gate.failed_tests)} failed",
            f"signed by:       {signer.public_key.key_id}",
        ],
        {
            "envelope": str(arguments.out),
            "result": gate.result,
            "manifestDigest": digest,
            "suite": gate.suite,
            "dataset": gate.dataset,
            "harness": gate.harness,
            "signer": signer.public_key.key_id,
        },
    )


def _model(arguments: Namespace, reported: Manifest | None, progress: Progress) -> str:
    """The digest of the model the verdict is about; SubjectMismatch if the report ran another."""
    if arguments.manifest_digest is not None:
        digest = check_digest(arguments.manifest_digest, "--manifest-digest")
        if reported is not None and reported.digest != digest:
            raise SubjectMismatch(f"the report is about {reported.digest}", field="report.subject")
        return digest
    if arguments.model is not None:
        workers = os.cpu_count() or 1
        manifest = measure_directory(arguments.model, workers=workers, progress=progress)
    elif reported is None:
        raise InvalidInput(
            "must list the files that were evaluated when the model is given by --bundle",
            field="report.subject",
            fix="or use --model DIR or --manifest-digest",
        )
    else:
        payload = parse_bundle(read_file(arguments.bundle)).payload
        manifest = manifest_of(parse_statement(payload, PREDICATE_TYPE))
    if reported is not None and reported.digest != manifest.digest:
        lines = "; ".join(differences(manifest, reported))
        raise SubjectMismatch(f"the report is about another model: {lines}", field="report.subject")
    return manifest.digest


COMMAND = Command(
    words=("gate",),
    summary="sign the result of a safety gate",
    description=(
        "Turn the report of an evaluation into an in-toto test result about one model, signed\n"
        "in DSSE. FAILED results are signed too: they are evidence. If the report lists the\n"
        "files it ran, they must be the model the result is signed over."
    ),
    examples=("gate --report report.json --model ./model --key safety.key --out gate.json",),
    arguments=_arguments,
    run=_run,
)
