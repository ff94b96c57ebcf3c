"""A person's decision about an action that is held: signed, added to, and delivered."""

import asyncio
import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from quorate import limits, names
from quorate.consensus.hold_decision import DECISION_BYTES, HoldDecision, read, statement
from quorate.errors import InvalidInput, SignatureError, Unavailable
from quorate.evidence import dsse
from quorate.evidence.intoto.approval import Decision
from quorate.evidence.intoto.timestamps import format_utc
from quorate.manifest import check_digest
from quorate_cli.command import Result
from quorate_cli.evidence_signer import add_key
from quorate_cli.files import check_target, read_file, read_password, read_signer, write_file

MINUTES = 5
PATH: Final = "/quorate/v1/hold-decisions"
TIMEOUT: Final = 10.0
_AGAIN: Final = "the file is signed: send it again"
ANSWER_BYTES: Final = 64 * limits.KIB


def add_arguments(parser: ArgumentParser) -> None:
    """Which hold, whose key, and where the decision goes."""
    parser.add_argument("--id", required=True, help="the hold, sha256:…, as the client was told")
    parser.add_argument("--reason", help="why, in one line")
    parser.add_argument(
        "--minutes",
        type=int,
        default=MINUTES,
        help=f"how long it counts; it must end before the hold does (default: {MINUTES})",
    )
    parser.add_argument(
        "--send",
        metavar="URL",
        help="deliver it to the pod that holds the action: http://POD:PORT, the model's port",
    )
    add_key(parser)


def run(arguments: Namespace, decision: Decision, add_to: Path | None = None) -> Result:
    """Sign ``decision``, or what is in ``add_to`` as well, and deliver it if that was asked."""
    check_target(arguments.out)
    url = pod_url(arguments.send) if arguments.send is not None else ""
    hold_id = check_digest(arguments.id, "--id")
    signer = read_signer(arguments.key, read_password(arguments.password_file))
    if add_to is not None:
        payload, others = _of_others(arguments, add_to, hold_id)
    else:
        payload, others = statement(_decided(arguments, decision, hold_id)), ()
    if any(one.keyid == signer.public_key.key_id for one in others):
        raise InvalidInput("has this key's signature already", field=str(add_to))
    signature = dsse.Signature(
        signer.sign(dsse.pae(names.INTOTO_TYPE, payload)), signer.public_key.key_id
    )
    envelope = dsse.Envelope(names.INTOTO_TYPE, payload, (*others, signature)).encode()
    write_file(arguments.out, envelope)
    signed = read(payload)
    until = format_utc(signed.expires_at)
    lines = [
        f"signed {signed.decision} into {arguments.out}",
        f"hold:         {hold_id}",
        f"reason:       {signed.reason}",
        f"counts until: {until}",
        f"signed by:    {signer.public_key.key_id}",
    ]
    document = {
        "envelope": str(arguments.out),
        "decision": signed.decision,
        "hold": hold_id,
        "expiresAt": until,
        "signer": signer.public_key.key_id,
        "signatures": len(others) + 1,
    }
    if not url:
        step = "next: another approver (--add-to), or deliver it to the pod that holds the action:"
        return Result([*lines, step, f"      POST it to {PATH} at the model's port"], document)
    standing = asyncio.run(_delivered(url, envelope))
    return Result([*lines, f"the hold is {standing}"], {**document, "standing": standing})


def _decided(arguments: Namespace, decision: Decision, hold_id: str) -> HoldDecision:
    if not arguments.reason:
        raise InvalidInput("must be given", field="--reason")
    if not 1 <= arguments.minutes <= limits.HOLD_LIFE // 60:
        raise InvalidInput(f"must be 1 to {limits.HOLD_LIFE // 60}", field="--minutes")
    now = datetime.now(UTC).replace(microsecond=0)
    return HoldDecision(
        hold_id=hold_id,
        decision=decision,
        reason=arguments.reason,
        decided_at=now,
        expires_at=now + timedelta(minutes=arguments.minutes),
    )


def _of_others(
    arguments: Namespace, path: Path, hold_id: str
) -> tuple[bytes, tuple[dsse.Signature, ...]]:
    """What others signed: it must be about this hold, and is signed as it is."""
    if arguments.reason or arguments.minutes != MINUTES:
        raise InvalidInput("says all that is signed: give no other terms", field="--add-to")
    envelope = dsse.parse(read_file(path, DECISION_BYTES), bytes_max=DECISION_BYTES)
    if read(envelope.payload).hold_id != hold_id:
        raise InvalidInput("is about another hold", field=str(path))
    return envelope.payload, envelope.signatures


def pod_url(text: str) -> str:
    """Read http(s)://HOST:PORT. Raises InvalidInput."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidInput("must be http://POD:PORT", field="--send") from None
    bare = (parts.path in ("", "/")) and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare or port == 0:
        raise InvalidInput("must be http://POD:PORT", field="--send")
    return f"{parts.scheme}://{parts.netloc}"


async def _delivered(url: str, envelope: bytes) -> str:
    """What the hold is now. Raises SignatureError if the pod refused the decision, Unavailable."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
            session.post(
                url + PATH,
                data=envelope,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response,
        ):
            body = await response.content.read(ANSWER_BYTES)
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        what = str(error) or type(error).__name__
        raise Unavailable(
            f"{url} did not answer: {what}", fix="the file is signed: send it again"
        ) from None
    answer = _object(body)
    if status == 200:
        return str(answer.get("standing", ""))
    told = answer.get("error")
    message = str(told.get("message", "")) if isinstance(told, dict) else ""
    refused = f"the pod answered {status}: {message[:1_000]}"
    if status == 403:
        raise SignatureError(refused, fix="another pod may hold it; see who may decide")
    raise Unavailable(refused, fix=_AGAIN)


def _object(body: bytes) -> dict[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
