"""What the user asks about: ``pod/NAME``, ``model/NAME``, a workload, with or without namespace."""

from dataclasses import dataclass
from typing import Final

from quorate.errors import InvalidInput
from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Kind

_ALIASES: Final[dict[str, Kind]] = {
    "po": kinds.POD,
    "model": kinds.ATTESTED_MODEL,
    "models": kinds.ATTESTED_MODEL,
    "amodel": kinds.ATTESTED_MODEL,
    "deploy": kinds.DEPLOYMENT,
    "sts": kinds.STATEFUL_SET,
    "ds": kinds.DAEMON_SET,
    "rs": kinds.REPLICA_SET,
    "cj": kinds.CRON_JOB,
}
_KINDS: Final[dict[str, Kind]] = _ALIASES | {
    word: kind
    for kind in (kinds.POD, kinds.ATTESTED_MODEL, *kinds.WORKLOADS)
    for word in (kind.name.lower(), kind.plural, kind.resource)
}
NAME_CHARS_MAX: Final = 253


@dataclass(frozen=True, slots=True)
class Named:
    """An object to explain."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name.lower()} {self.namespace}/{self.name}"


def parse_subject(text: str, namespace: str) -> Named:
    """Read ``KIND/NAME`` or, as denials write it, ``KIND/NAMESPACE/NAME``; InvalidInput if not."""
    word, *rest = text.split("/")
    kind = _KINDS.get(word.lower())
    if kind is None:
        raise InvalidInput(
            f"{word[:80]!r} is no kind that can be explained",
            fix="use pod/NAME, model/NAME, safetypolicy/NAME, or a workload: deployment/NAME",
        )
    if len(rest) == 2:
        namespace, rest = rest[0], rest[1:]
    if len(rest) != 1 or not _is_name(rest[0]) or not _is_name(namespace):
        raise InvalidInput(f"must be written {word}/NAME or {word}/NAMESPACE/NAME")
    return Named(kind, namespace, rest[0])


def _is_name(text: str) -> bool:
    """Whether an object may be called so; what else it could mean in a path is not tried."""
    plain = text.replace("-", "").replace(".", "")
    return plain.isascii() and plain.isalnum() and len(text) <= NAME_CHARS_MAX
