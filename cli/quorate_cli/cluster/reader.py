"""What the commands ask of a cluster, as a protocol, and the ways an answer can fail to come."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from quorate.errors import Unavailable
from quorate_cli.cluster.kinds import Document, Kind


class NotPermitted(Unavailable):
    """The API server refuses to show something to this user."""

    def __init__(self, verb: str, kind: Kind, namespace: str = "", name: str = "") -> None:
        self.verb, self.kind, self.name = verb, kind, name
        namespace = self.namespace = namespace if kind.namespaced else ""
        what = f"{kind.resource}/{name}" if name else kind.resource
        where = f" -n {namespace}" if namespace else ""
        super().__init__(
            f"you may not {verb} {what}{f' in namespace {namespace}' if namespace else ''}",
            fix=f"check with: kubectl auth can-i {verb} {what}{where}",
        )


class NotServed(Unavailable):
    """The API server does not know a kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        super().__init__(
            f"the cluster does not serve {kind.resource} {kind.version}",
            fix="install Quorate, or see: kubectl quorate doctor",
        )


class NotInstalled(Unavailable):
    """Something that every installation has is missing or cannot be used."""


class Reader(Protocol):
    """Reads objects as the API server gives them.

    Everything raises Unavailable: NotPermitted, NotServed, or because no answer came.
    """

    def get(self, kind: Kind, name: str, namespace: str = "") -> Document | None:
        """One object; None if it does not exist."""

    def each(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Iterator[Document]:
        """The objects of a namespace, or of all, that the selectors select, page by page."""

    def version(self) -> str:
        """The API server's ``gitVersion``."""

    def clock(self) -> tuple[datetime, datetime]:
        """The API server's time and this machine's at the same moment; both aware, to a second."""
