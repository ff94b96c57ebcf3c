"""``exception approve``: sign that you agree to an exception, until a time you name."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quorate import limits, names
from quorate.api.v1alpha1 import SafetyException
from quorate.errors import InvalidInput
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Approval, Decision
from quorate.policy.exceptions import gates, statement
from quorate_cli import exception_file
from quorate_cli.command import Command, Result
from quorate_cli.files import read_password, read_signer
from quorate_cli.progress import Progress

HOURS = 24
HOURS_MAX = limits.EXCEPTION_LIFE // 3600


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="the exception; it is completed")
    parser.add_argument("--key", type=Path, required=True, help="private key of the approver")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--hours",
        type=int,
        help=f"how long it counts from now, by the first approver (default: {HOURS}, at most "
        f"{HOURS_MAX})",
    )


def _run(arguments: Namespace, progress: Progress) -> Result:
    exception = exception_file.load(arguments.file)
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    spec = exception.spec
    found = exception_file.approval_in(spec)
    others: tuple[dsse.Signature, ...] = ()
    if found is None:
        payload = statement(spec, _approval(arguments, exception))
    elif arguments.hours is not None:
        raise InvalidInput("was said by who approved first", field="--hours")
    else:
        payload, others = found[0].payload, found[0].signatures
    if any(one.keyid == signer.public_key.key_id for one in others):
        raise InvalidInput("has this key's signature already", field=str(arguments.file))
    signature = dsse.Signature(
        signer.sign(dsse.pae(names.INTOTO_TYPE, payload)), signer.public_key.key_id
    )
    envelope = dsse.Envelope(names.INTOTO_TYPE, payload, (*others, signature)).encode()
    signed = spec.model_copy(update={"approval": envelope.decode("ascii")})
    exception_file.save(arguments.file, exception.metadata.name, signed)
    lines, document = exception_file.described(exception_file.load(arguments.file))
    step = f"next: another approver, or kubectl apply -f {arguments.file}"
    return Result([*lines, step], document)


def _approval(arguments: Namespace, exception: SafetyException) -> Approval:
    hours = HOURS if arguments.hours is None else arguments.hours
    if not 1 <= hours <= HOURS_MAX:
        raise InvalidInput(f"must be 1 to {HOURS_MAX}", field="--hours")
    now = datetime.now(UTC).replace(microsecond=0)
    return Approval(
        decision=Decision.APPROVED,
        reason=exception.spec.reason,
        gates=gates(exception.spec),
        namespaces=(exception.spec.workload.namespace,),
        decided_at=now,
        expires_at=now + timedelta(hours=hours),
    )


COMMAND = Command(
    words=("exception", "approve"),
    summary="sign a SafetyException as one of its approvers",
    description=(
        "Sign all that the file says. The first approver also says when it ends; each one after\n"
        "signs the same words. The keys must be in the policy's spec.exceptions. To take an\n"
        "approval back, delete the SafetyException."
    ),
    examples=(
        "exception approve exception.yaml --key chief.key --hours 48",
        "exception approve exception.yaml --key deputy.key",
    ),
    arguments=_arguments,
    run=_run,
)
