"""``approve``: sign a person's approval or rejection of a model."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quorate import names
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.intoto import about_model, read_document
from quorate.evidence.intoto.approval import Approval, Decision, parse
from quorate.evidence.intoto.timestamps import format_utc
from quorate.predicates import PredicateUri
from quorate_cli.command import Command, Result
from quorate_cli.evidence_signer import add_key, add_model, model_digest, sign_statement
from quorate_cli.files import check_target, read_file, read_password, read_signer
from quorate_cli.progress import Progress

DAYS = 30
KIND = PredicateUri.APPROVAL


def _arguments(parser: ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--gate",
        metavar="NAME",
        action="append",
        default=[],
        help="gate that this approves, as the policy names it; repeatable",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        help="namespace it is for; repeatable (default: any)",
    )
    parser.add_argument("--reason", help="why, in one line")
    parser.add_argument("--reject", action="store_true", help="reject instead of approve")
    parser.add_argument(
        "--days", type=int, default=DAYS, help=f"how long it counts (default: {DAYS})"
    )
    parser.add_argument(
        "--add-to", metavar="FILE", type=Path, help="sign this approval, of somebody else, as well"
    )
    add_key(parser)


def _run(arguments: Namespace, progress: Progress) -> Result:
    check_target(arguments.out)
    digest = model_digest(arguments, progress)
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    if arguments.add_to is not None:
        payload, others = _of_others(arguments, digest)
    else:
        payload, others = about_model(digest, KIND, _approval(arguments).predicate), ()
    if any(one.keyid == signer.public_key.key_id for one in others):
        raise InvalidInput("has this key's signature already", field=str(arguments.add_to))
    evidence = sign_statement(payload, KIND, signer, arguments.out, *others)
    approval = parse(evidence.predicate)
    lines = [
        f"signed {approval.decision} into {arguments.out}",
        f"manifest digest: {digest}",
        f"gates:           {', '.join(approval.gates)}",
        f"namespaces:      {', '.join(approval.namespaces) or 'any'}",
        f"reason:          {approval.reason}",
        f"counts until:    {format_utc(approval.expires_at)}",
        f"signed by:       {signer.public_key.key_id}",
    ]
    document = {
        "envelope": str(arguments.out),
        "decision": approval.decision,
        "manifestDigest": digest,
        "gates": list(approval.gates),
        "namespaces": list(approval.namespaces),
        "expiresAt": format_utc(approval.expires_at),
        "signer": signer.public_key.key_id,
        "signatures": len(others) + 1,
    }
    return Result(lines, document)


def _approval(arguments: Namespace) -> Approval:
    if not arguments.gate or not arguments.reason:
        raise InvalidInput("must be given", field="--gate and --reason")
    now = datetime.now(UTC).replace(microsecond=0)
    return Approval(
        decision=Decision.REJECTED if arguments.reject else Decision.APPROVED,
        reason=arguments.reason,
        gates=tuple(arguments.gate),
        namespaces=tuple(arguments.namespace),
        decided_at=now,
        expires_at=now + timedelta(days=arguments.days),
    )


def _of_others(arguments: Namespace, digest: str) -> tuple[bytes, tuple[dsse.Signature, ...]]:
    """What others signed: it must be an approval of this model, and is signed as it is."""
    given = (arguments.gate, arguments.namespace, arguments.reason, arguments.reject)
    if any(given):
        raise InvalidInput("says all that is signed: give no other terms", field="--add-to")
    document = read_document(read_file(arguments.add_to))
    statement, where = document.statement, str(arguments.add_to)
    envelope = document.signed
    if not isinstance(envelope, dsse.Envelope):
        raise InvalidInput("holds one signature and cannot take another", field=where)
    if envelope.payload_type != names.INTOTO_TYPE or statement.predicate_type != KIND:
        raise InvalidInput("is no approval", field=where)
    if statement.manifests != {digest}:
        raise InvalidInput("is about another model", field=where)
    return envelope.payload, envelope.signatures


COMMAND = Command(
    words=("approve",),
    summary="sign an approval of a model",
    description=(
        "Sign that you approve one model for named gates, or reject it. Who approved is the key\n"
        "that signed, so the key must be yours alone. If a gate takes several approvers, each\n"
        "after the first signs the same approval with --add-to. A rejection by one outweighs an\n"
        "older approval by all."
    ),
    examples=(
        "approve --model ./model --gate release --reason 'reviewed, ticket 42' \\\n"
        "      --key me.key --out approval.json",
        "approve --model ./model --add-to approval.json --key me.key --out approval.json",
    ),
    arguments=_arguments,
    run=_run,
)
