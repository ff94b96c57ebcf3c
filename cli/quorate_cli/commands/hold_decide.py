"""``hold decide``: sign a person's approval or rejection of an action that is held."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quorate import limits, names
from quorate.consensus.hold_decision import DECISION_BYTES, HoldDecision, read, statement
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Decision
from quorate.evidence.intoto.timestamps import format_utc
from quorate.manifest import check_digest
from quorate_cli.command import Command, Result
from quorate_cli.evidence_signer import add_key
from quorate_cli.files import check_target, read_file, read_password, read_signer, write_file
from quorate_cli.progress import Progress

MINUTES = 5


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--id", required=True, help="the hold, sha256:…, as the client was told")
    parser.add_argument("--reason", help="why, in one line")
    parser.add_argument("--reject", action="store_true", help="reject instead of approve")
    parser.add_argument(
        "--minutes",
        type=int,
        default=MINUTES,
        help=f"how long it counts; it must end before the hold does (default: {MINUTES})",
    )
    parser.add_argument(
        "--add-to", metavar="FILE", type=Path, help="sign this decision, of somebody else, as well"
    )
    add_key(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    check_target(arguments.out)
    hold_id = check_digest(arguments.id, "--id")
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    if arguments.add_to is not None:
        payload, others = _of_others(arguments, hold_id)
    else:
        payload, others = statement(_decision(arguments, hold_id)), ()
    if any(one.keyid == signer.public_key.key_id for one in others):
        raise InvalidInput("has this key's signature already", field=str(arguments.add_to))
    signature = dsse.Signature(
        signer.sign(dsse.pae(names.INTOTO_TYPE, payload)), signer.public_key.key_id
    )
    envelope = dsse.Envelope(names.INTOTO_TYPE, payload, (*others, signature)).encode()
    write_file(arguments.out, envelope)
    decision = read(payload)
    until = format_utc(decision.expires_at)
    lines = [
        f"signed {decision.decision} into {arguments.out}",
        f"hold:         {hold_id}",
        f"reason:       {decision.reason}",
        f"counts until: {until}",
        f"signed by:    {signer.public_key.key_id}",
        "next: another approver, or send it to the pod that holds the action, at",
        "      POST /quorate/v1/hold-decisions of the model's port, as application/json",
    ]
    document = {
        "envelope": str(arguments.out),
        "decision": decision.decision,
        "hold": hold_id,
        "expiresAt": until,
        "signer": signer.public_key.key_id,
        "signatures": len(others) + 1,
    }
    return Result(lines, document)


def _decision(arguments: Namespace, hold_id: str) -> HoldDecision:
    if not arguments.reason:
        raise InvalidInput("must be given", field="--reason")
    if not 1 <= arguments.minutes <= limits.HOLD_LIFE // 60:
        raise InvalidInput(f"must be 1 to {limits.HOLD_LIFE // 60}", field="--minutes")
    now = datetime.now(UTC).replace(microsecond=0)
    return HoldDecision(
        hold_id=hold_id,
        decision=Decision.REJECTED if arguments.reject else Decision.APPROVED,
        reason=arguments.reason,
        decided_at=now,
        expires_at=now + timedelta(minutes=arguments.minutes),
    )


def _of_others(arguments: Namespace, hold_id: str) -> tuple[bytes, tuple[dsse.Signature, ...]]:
    """What others signed: it must be about this hold, and is signed as it is."""
    if arguments.reason or arguments.reject or arguments.minutes != MINUTES:
        raise InvalidInput("says all that is signed: give no other terms", field="--add-to")
    envelope = dsse.parse(read_file(arguments.add_to, DECISION_BYTES), bytes_max=DECISION_BYTES)
    if read(envelope.payload).hold_id != hold_id:
        raise InvalidInput("is about another hold", field=str(arguments.add_to))
    return envelope.payload, envelope.signatures


COMMAND = Command(
    words=("hold", "decide"),
    summary="sign an approval of an action that is held",
    description=(
        "Sign that you approve exactly one held action, once, or reject it. The hold's id says\n"
        "which request, under which policies, at which pod. If a policy asks for several people,\n"
        "each after the first signs the same decision with --add-to."
    ),
    examples=(
        "hold decide --id sha256:… --reason 'called the customer' --key me.key --out decision.json",
        "hold decide --id sha256:… --add-to decision.json --key me.key --out decision.json",
    ),
    arguments=_arguments,
    run=_run,
)
