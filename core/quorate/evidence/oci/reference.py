"""References by digest, with the registry always named: nothing is left to a default."""

import re
from dataclasses import dataclass

from quorate.errors import InvalidInput

REFERENCE_CHARS = 512
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_REFERENCE = re.compile(
    rf"(?P<registry>{_LABEL}(?:\.{_LABEL})*(?::[1-9][0-9]{{0,4}})?)"
    rf"/(?P<repository>{_PATH}(?:/{_PATH})*)"
    r"@(?P<digest>sha256:[0-9a-f]{64})"
)
_REGISTRY = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[1-9][0-9]{{0,4}})?")


@dataclass(frozen=True, slots=True)
class Reference:
    """``registry/repository@digest``. ``registry`` is ``host`` or ``host:port``, in lower case."""

    registry: str
    repository: str
    digest: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}@{self.digest}"

    @property
    def fallback_tag(self) -> str:
        """The tag under which referrers are listed where a registry has no list of its own."""
        return self.digest.replace(":", "-")

    @property
    def signature_tag(self) -> str:
        """The tag under which cosign's older layout keeps signatures of an image."""
        return f"{self.fallback_tag}.sig"


def parse_reference(text: str) -> Reference:
    """Read a reference. Raises InvalidInput unless it names registry, repository and digest."""
    found = _REFERENCE.fullmatch(text) if len(text) <= REFERENCE_CHARS else None
    if found is None or not _names_a_host(found["registry"]):
        raise InvalidInput(
            "must be registry/repository@sha256:…, with the registry's host name in lower case",
            field="reference",
        )
    return Reference(found["registry"], found["repository"], found["digest"])


def is_registry(text: str) -> bool:
    """Whether ``text`` is ``host`` or ``host:port`` as references name a registry."""
    return _REGISTRY.fullmatch(text) is not None and _names_a_host(text)


def _names_a_host(registry: str) -> bool:
    """Whether this is a host and not the first part of a path: ``library/model@…`` has none."""
    host, _, port = registry.partition(":")
    return int(port or 1) <= 65_535 and (bool(port) or "." in host or host == "localhost")
