"""What the commands write to a cluster, as a protocol, and the ways that can fail."""

from typing import Any, Protocol

from quorate.errors import InvalidInput, Unavailable
from quorate_cli.cluster.kinds import Kind


class Missing(InvalidInput):
    """There is no such object to change."""


class Conflict(Unavailable):
    """The object is another one than was read, or is there already."""


class Writer(Protocol):
    """Writes objects. With ``dry_run`` the API server checks everything and keeps nothing.

    Raises Missing, Conflict, InvalidInput for what the API server finds invalid, and Unavailable.
    """

    def patch(
        self,
        kind: Kind,
        name: str,
        body: dict[str, Any],
        *,
        namespace: str = "",
        dry_run: bool = False,
    ) -> None:
        """Merge ``body`` into an object; with a resourceVersion in it, only into that version."""

    def create(
        self, kind: Kind, body: dict[str, Any], *, namespace: str = "", dry_run: bool = False
    ) -> None:
        """Make an object that is not there."""
