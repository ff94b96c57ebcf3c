"""One key for each member, in a Secret of its own: made once, never overwritten, never read again
but to see that it is the one its seat was given to."""

import base64
import binascii
import logging
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from quorate import names
from quorate.errors import InvalidInput, QuorateError
from quorate.keys import load_signer
from quorate_operator.effects.api_server import ApiServer
from quorate_operator.install.objects import create_once, find, secret
from quorate_operator.kinds import SECRET
from quorate_operator.webhook_tls import encoded

KEY_ENTRY = "key.pem"

log = logging.getLogger(__name__)
Document = dict[str, Any]


class Inconsistent(QuorateError):
    """What an earlier installation left does not fit together. A person must decide."""


async def find_keys(api: ApiServer, namespace: str, members: Iterable[str]) -> dict[str, str]:
    """Public keys (PEM) of the members whose Secret is there, by name.

    Raises Inconsistent for one that holds no key, or what the API server answers.
    """
    found: dict[str, str] = {}
    for member in members:
        held = await find(api, SECRET, namespace, names.member_key(member))
        if held is not None:
            found[member] = _public(held)
    return found


async def make_key(api: ApiServer, namespace: str, member: str) -> str:
    """A new key for a member, or the one that somebody was faster with; its public half (PEM)."""
    name = names.member_key(member)
    held, created = await create_once(api, SECRET, _new(namespace, name))
    log.info("Secret %s: %s", name, "created" if created else "found")
    return _public(held)


def _new(namespace: str, name: str) -> Document:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Not fixed: a rotation puts another key in its place, and the kubelet must bring it.
    return secret(namespace, name, {KEY_ENTRY: encoded(pem)})


def _public(held: Document) -> str:
    metadata = held["metadata"]
    try:
        pem = base64.b64decode((held.get("data") or {})[KEY_ENTRY], validate=True)
        signer = load_signer(pem)
        if not isinstance(signer.public_key.key, ed25519.Ed25519PublicKey):
            raise InvalidInput("must be an Ed25519 key")
    except (KeyError, binascii.Error, InvalidInput) as error:
        name, namespace = metadata["name"], metadata["namespace"]
        raise Inconsistent(
            f"Secret {namespace}/{name} holds no identity key in {KEY_ENTRY}: {error}",
            fix=f"restore it from a backup: kubectl -n {namespace} get secret {name}",
        ) from None
    return signer.public_key.pem
