"""``freeze``: stop something at once, with one administrator's signature."""

import asyncio
import re
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from quorate.consensus import freeze
from quorate.consensus.epoch import Epoch, material_of
from quorate.consensus.freeze import ORDER_BYTES, ORDER_LIFE, ORDER_TAG, Order, Scope, SignedOrder
from quorate.consensus.keys import KeySignatures
from quorate.consensus.succession import Endorsement
from quorate.errors import InvalidInput
from quorate.ports import Signer
from quorate_cli.command import Command, Result
from quorate_cli.committee import orders, whereabouts
from quorate_cli.committee.survey import opened
from quorate_cli.files import check_target, read_file, read_password, read_signer, write_file
from quorate_cli.progress import Progress
from quorate_io import member_api

_LIFE = re.compile(r"([1-9][0-9]{0,5})([smhd])\Z", re.ASCII)
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAMES = {
    Scope.TENANT: (rf"{_LABEL}\Z", "a namespace's name"),
    Scope.NAMESPACE: (rf"{_LABEL}\Z", "a namespace's name"),
    Scope.WORKLOAD: (rf"{_LABEL}/[a-z0-9][a-z0-9.-]{{0,188}}\Z", "NAMESPACE/WORKLOAD"),
    Scope.MODEL_VERSION: (r"sha256:[0-9a-f]{64}\Z", "the model's manifest digest, sha256:…"),
}
"""How the names are spelt that enforcement points go by: see consensus/asker.py."""
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scope", choices=[scope.value for scope in Scope], help="what kind of thing is frozen"
    )
    parser.add_argument("--name", default="", help="which one; the scope cluster has none")
    parser.add_argument("--reason", help="why, in one line")
    parser.add_argument(
        "--expires", metavar="TIME", help="when it ends by itself: 30m, 2h, 7d, at most 30d"
    )
    parser.add_argument("--key", type=Path, help="private key of an administrator")
    parser.add_argument(
        "--password-file", metavar="FILE", type=Path, help="password of the private key"
    )
    parser.add_argument(
        "--send", metavar="FILE", type=Path, help="send this order, signed before, again"
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="keep the signed order there, to send it again"
    )
    whereabouts.add_arguments(parser)


def _run(arguments: Namespace, _progress: Progress) -> Result:
    if arguments.out is not None:
        check_target(arguments.out)
    signer = None
    if arguments.send is None:
        _check(arguments)
        signer = read_signer(arguments.key, read_password(arguments.password_file))
    elif arguments.key is not None or arguments.scope is not None:
        raise InvalidInput("is signed already: give no other terms", field="--send")
    return asyncio.run(_frozen(arguments, signer))


def _check(arguments: Namespace) -> None:
    for name in ("scope", "reason", "expires", "key"):
        if not getattr(arguments, name):
            raise InvalidInput("must be given", field=f"--{name}")
    if (arguments.scope == Scope.CLUSTER) == bool(arguments.name):
        raise InvalidInput("must be given, but for the scope cluster", field="--name")
    pattern, meaning = _NAMES.get(arguments.scope, (".", ""))
    if not re.match(pattern, arguments.name or "."):
        raise InvalidInput(f"must be {meaning}: it would freeze nothing", field="--name")
    if not arguments.reason.isprintable():
        raise InvalidInput("must be one line", field="--reason")


async def _frozen(arguments: Namespace, signer: Signer | None) -> Result:
    def make(head: Epoch) -> SignedOrder:
        if signer is None:
            signed = freeze.parse(read_file(arguments.send, ORDER_BYTES))
        else:
            signed = _sign(_order(arguments, head), head, signer)
        freeze.verify(signed, head, KeySignatures())
        if arguments.out is not None:
            write_file(arguments.out, member_api.encode(signed))
        return signed

    async with opened(arguments) as members:
        return await orders.send(members, make)


def _order(arguments: Namespace, head: Epoch) -> Order:
    now = datetime.now(UTC).replace(microsecond=0)
    life = timedelta(seconds=_seconds(arguments.expires))
    scope = Scope(arguments.scope)
    return Order(head.cluster_id, scope, arguments.name, arguments.reason, now, now + life)


def _seconds(given: str) -> int:
    match = _LIFE.match(given)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= ORDER_LIFE:
        raise InvalidInput("must be as 30m, 2h or 7d, at most 30d", field="--expires")
    return seconds


def _sign(order: Order, head: Epoch, signer: Signer) -> SignedOrder:
    # Spelt as the record spells it: members find the signature by that text.
    known = {material_of(key): key for key in head.record.admins.keys}
    key_id = signer.public_key.key_id
    if key_id not in known:
        raise InvalidInput(
            f"is no administrator's: {key_id}",
            field="--key",
            fix=f"sign with one of: {', '.join(sorted(known)) or 'the committee has none'}",
        )
    signature = signer.sign(ORDER_TAG + freeze.encode(order))
    return SignedOrder(order, (Endorsement(known[key_id], signature),))


COMMAND = Command(
    words=("freeze",),
    summary="stop a capability, tenant, workload, model, namespace or the cluster at once",
    description=(
        "Sign an order to deny everything of one kind, and send it to every member directly:\n"
        "one administrator's key is enough, and neither the API server nor the operator is\n"
        "needed. It holds from when a member heard it; members pass it on to each other and to\n"
        "the sidecars. It ends at its time, or by unfreeze."
    ),
    examples=(
        "freeze --scope capability --name shell --reason 'incident 7' --expires 2h \\\n"
        "    --key admin.key --genesis genesis.json --member-url member-0=https://127.0.0.1:9000",
        "freeze --scope cluster --reason 'incident 8' --expires 30m --key admin.key \\\n"
        "    --member-url 'https://quorate-{member}.quorate-system.svc:8443' --out order.json",
    ),
    notes=(
        "Names: a capability's as policies have it; tenants are namespaces; a workload is\n"
        "NAMESPACE/WORKLOAD, and what it makes is meant too; a model's version is its manifest\n"
        "digest.\n"
        "Exit code 0: so many took it that an honest one did. Exit code 3: fewer; send it again\n"
        "with --send. Exit code 1: all that answered refused it.\n"
    )
    + whereabouts.NOTES,
    arguments=_arguments,
    run=_run,
)
