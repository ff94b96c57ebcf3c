"""``verify``: check a model's directory against its signatures and gates, offline."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from quorate import limits
from quorate.errors import EvidenceError, InvalidInput, QuorateError, SubjectMismatch
from quorate.evidence.intoto import TYPES, Evidence, Outcome, read_document, verify_document
from quorate.evidence.intoto.timestamps import format_utc
from quorate.evidence.model_signing import Accepted, SignedModel, verify_bundles
from quorate.evidence.signatures import Context, SignerSet
from quorate.keys import PublicKey
from quorate.manifest import differences
from quorate.predicates import PredicateUri
from quorate_cli import accepted_signers, exit_codes
from quorate_cli.command import Command, Result
from quorate_cli.files import read_file, read_public_key
from quorate_cli.progress import Progress
from quorate_io.clock import SystemClock
from quorate_io.measuring import measure_directory
from quorate_sigstore import OfflineSigstore


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help="the model's directory")
    parser.add_argument(
        "--bundle", type=Path, action="append", required=True, help="OMS bundle; repeatable"
    )
    accepted_signers.add_arguments(parser)
    parser.add_argument(
        "--threshold",
        type=int,
        default=1,
        help="different signers that must have signed (default: 1)",
    )
    parser.add_argument(
        "--shard-size",
        metavar="BYTES",
        type=int,
        action="append",
        default=[],
        help="accept signatures over shards of this size; repeatable",
    )
    parser.add_argument(
        "--gate", type=Path, action="append", default=[], help="gate that must pass; repeatable"
    )
    parser.add_argument(
        "--gate-key", type=Path, action="append", default=[], help="accepted producer; repeatable"
    )


def _run(arguments: Namespace, progress: Progress) -> Result:
    signers = accepted_signers.read(arguments)
    gate_keys = [read_public_key(path) for path in arguments.gate_key]
    if bool(arguments.gate) != bool(gate_keys):
        raise InvalidInput("must be given together", field="--gate and --gate-key")
    if not arguments.directory.is_dir():
        raise InvalidInput("is not a directory", field=str(arguments.directory))
    bundles = [read_file(path, limits.BUNDLE_BYTES) for path in arguments.bundle]
    gates = [(path, read_file(path)) for path in arguments.gate]
    accepted = Accepted(shard_sizes=tuple(arguments.shard_size))
    context = Context(SystemClock().now(), OfflineSigstore())
    try:
        signed = verify_bundles(bundles, signers, context, accepted=accepted)
        _check_files(arguments.directory, signed, progress)
        passed = [_check_gate(path, data, gate_keys, signed) for path, data in gates]
    except QuorateError as error:
        # All that was read by now is what is being judged, so malformed is denied too.
        return _denied(error)
    return _verified(signed, passed)


def _check_files(directory: Path, signed: SignedModel, progress: Progress) -> None:
    workers = os.cpu_count() or 1
    measured = measure_directory(
        directory, workers=workers, progress=progress, shard_size=signed.manifest.shard_size
    )
    if measured.digest != signed.manifest.digest:
        lines = "; ".join(differences(signed.manifest, measured))
        raise EvidenceError(f"differs from what was signed: {lines}", field=str(directory))


def _check_gate(
    path: Path, data: bytes, keys: list[PublicKey], signed: SignedModel
) -> tuple[str, PredicateUri, Evidence]:
    try:
        document = read_document(data)
        kind = _kind(document.statement.predicate_type)
        gate = verify_document(document, kind, SignerSet(tuple(keys)))
    except QuorateError as error:
        raise type(error)(f"{path}: {error.message}", field=error.field, fix=error.fix) from None
    if signed.manifest.digest not in gate.subjects:
        raise EvidenceError("is about another model", field=str(path))
    if gate.facts.result is not Outcome.PASSED:
        what = ", ".join(gate.facts.failures[:5])
        raise EvidenceError(f"has the result {gate.facts.result} ({what})", field=str(path))
    return str(path), kind, gate


def _kind(predicate_type: str) -> PredicateUri:
    if predicate_type not in TYPES:
        raise SubjectMismatch(
            f"{predicate_type[:80]} is no type a gate may ask for", field="predicateType"
        )
    return PredicateUri(predicate_type)


def _verified(signed: SignedModel, gates: list[tuple[str, PredicateUri, Evidence]]) -> Result:
    digest = signed.manifest.digest
    lines = [
        f"verified {signed.manifest.file_count} files: every one signed, none besides",
        f"manifest digest: {digest}",
        *(f"signed by {item.method + ':':<12} {item.signer}" for item in signed.signatures),
    ]
    for path, kind, gate in gates:
        made_at = format_utc(gate.facts.made_at)
        lines.append(f"gate passed:     {path}, {TYPES[kind].title}, made {made_at}")
    lines += [f"did not count:   {problem}" for problem in signed.problems]
    document = {
        "verified": True,
        "manifestDigest": digest,
        "files": signed.manifest.file_count,
        "signers": sorted(signed.signers),
        "signatures": [
            {"method": item.method.value, "signer": item.signer} for item in signed.signatures
        ],
        "gates": [
            {
                "envelope": path,
                "predicateType": kind,
                "suite": next(iter(sorted(gate.facts.suites)), ""),
                "finishedAt": format_utc(gate.facts.made_at),
            }
            for path, kind, gate in gates
        ],
        "problems": list(signed.problems),
    }
    return Result(lines, document)


def _denied(error: QuorateError) -> Result:
    document = {
        "verified": False,
        "error": {"message": error.message, "field": error.field, "fix": error.fix},
    }
    return Result([f"DENIED: {error}"], document, exit_codes.DENIED)


COMMAND = Command(
    words=("verify",),
    summary="check a model against its signatures and gates",
    description=(
        "Hash every file under DIR and compare with what the bundles' signers signed: a file\n"
        "changed, missing, added, renamed or replaced by a link is refused. Gates must be signed\n"
        "by an accepted producer, be about this model, and have passed. Needs no network. Whether\n"
        "a gate's suite, age and content are enough is a policy's decision."
    ),
    examples=(
        "verify ./model --bundle model.bundle.json --key model-owner.pub",
        "verify ./model --bundle model.bundle.json --ca company-ca.pem --san signer@example.com",
        "verify ./model --bundle model.bundle.json --trusted-root trusted_root.json \\\n"
        "      --identity https://ci.example.com/release.yml --issuer https://ci.example.com",
    ),
    arguments=_arguments,
    run=_run,
)
