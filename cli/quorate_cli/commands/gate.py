"""``gate``: sign the result of a safety gate."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate import limits, names
from quorate.canonical import parse_object
from quorate.errors import InvalidInput, SubjectMismatch
from quorate.evidence import dsse
from quorate.evidence.intoto import (
    TYPES,
    about_model,
    gate_statement,
    verify_gate,
)
from quorate.evidence.intoto.timestamps import format_utc
from quorate.evidence.model_signing import read_manifest
from quorate.evidence.signatures import SignerSet
from quorate.manifest import Manifest, check_digest, differences
from quorate.ports import Signer
from quorate.predicates import PredicateUri
from quorate_cli.command import Command, Result
from quorate_cli.evidence_signer import add_key, model_digest, sign_statement
from quorate_cli.files import check_target, read_file, read_password, read_signer, write_file
from quorate_cli.progress import Progress
from quorate_cli.report import parse_report
from quorate_io.measuring import measure_directory

_TYPES = tuple(str(uri) for uri in TYPES if uri is not PredicateUri.APPROVAL)


def _arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--report", type=Path, help="report of the evaluation (JSON)")
    what.add_argument(
        "--predicate", metavar="FILE", type=Path, help="predicate of another type, to sign as it is"
    )
    parser.add_argument(
        "--type", metavar="URI", choices=_TYPES, help=f"type of --predicate: {', '.join(_TYPES)}"
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--manifest-digest", metavar="DIGEST", help="the model, as sha256:…")
    model.add_argument("--model", metavar="DIR", type=Path, help="the model's directory")
    model.add_argument(
        "--bundle",
        type=Path,
        help="the model's OMS bundle; its signature is not checked, so the report must list files",
    )
    add_key(parser)


def _run(arguments: Namespace, progress: Progress) -> Result:
    check_target(arguments.out)
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    if (arguments.predicate is None) != (arguments.type is None):
        raise InvalidInput("must be given together", field="--predicate and --type")
    if arguments.predicate is not None:
        return _sign_predicate(arguments, signer, progress)
    run, reported = parse_report(read_file(arguments.report))
    digest = _model(arguments, reported, progress)
    envelope = dsse.sign(gate_statement(run, digest), names.INTOTO_TYPE, [signer])
    # What cannot be verified must not leave.
    gate = verify_gate(envelope, SignerSet((signer.public_key,)))
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


def _sign_predicate(arguments: Namespace, signer: Signer, progress: Progress) -> Result:
    """Sign a predicate of any type as it is, if a gate could read it."""
    if arguments.bundle is not None:
        raise InvalidInput("must be --model or --manifest-digest", field="--bundle")
    kind = PredicateUri(arguments.type)
    predicate = parse_object(read_file(arguments.predicate), what=str(arguments.predicate))
    digest = model_digest(arguments, progress)
    payload = about_model(digest, kind, predicate)
    evidence = sign_statement(payload, kind, signer, arguments.out)
    title, made_at = TYPES[kind].title, format_utc(evidence.facts.made_at)
    return Result(
        [
            f"signed the {title} into {arguments.out}",
            f"manifest digest: {digest}",
            f"result:          {evidence.facts.result}, made {made_at}",
            f"signed by:       {signer.public_key.key_id}",
        ],
        {
            "envelope": str(arguments.out),
            "predicateType": kind,
            "result": evidence.facts.result,
            "madeAt": made_at,
            "manifestDigest": digest,
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
        manifest = read_manifest(read_file(arguments.bundle, limits.BUNDLE_BYTES))
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
        "files it ran, they must be the model the result is signed over. Other evidence, such\n"
        "as scans, provenance and bills of materials, is signed as it is with --predicate."
    ),
    examples=(
        "gate --report report.json --model ./model --key safety.key --out gate.json",
        "gate --predicate bom.json --type https://cyclonedx.org/bom --model ./model \\\n"
        "      --key safety.key --out bom.dsse.json",
    ),
    arguments=_arguments,
    run=_run,
)
