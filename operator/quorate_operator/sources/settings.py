"""Which registries the platform lets the operator read from: files that the chart mounts."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quorate.canonical import parse_object
from quorate.errors import InvalidInput
from quorate.evidence.oci.reference import is_registry
from quorate.limits import KIB, MIB
from quorate_io.registry import Credentials, RegistryRules, parse_credentials
from quorate_io.registry.credentials import CONFIG_BYTES

REFRESH_SECONDS = 300
REFRESH_LEAST, REFRESH_MOST = 5, 3600
RULES_BYTES = 256 * KIB
AUTHORITY_BYTES = 1 * MIB


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What reading from registries needs."""

    rules: RegistryRules
    credentials: Credentials
    context: ssl.SSLContext
    refresh: float = REFRESH_SECONDS
    """Seconds between two readings of a source that was read."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The mounted files. None of them has to be there: then no registry is read from."""

    rules: Path
    authority: Path
    """Certificates of authorities that are trusted beside the system's (PEM)."""
    docker_config: Path

    def contents(self) -> tuple[bytes, ...]:
        """What is in them. Raises InvalidInput if one is there and cannot be read."""
        return (
            _read(self.rules, RULES_BYTES),
            _read(self.authority, AUTHORITY_BYTES),
            _read(self.docker_config, CONFIG_BYTES),
        )


def source_files(root: Path) -> SourceFiles:
    """Where the files are under the operator's configuration directory."""
    return SourceFiles(
        rules=root / "evidence" / "registries.json",
        authority=root / "evidence" / "ca.crt",
        docker_config=root / "registry-credentials" / ".dockerconfigjson",
    )


def load_sources(contents: tuple[bytes, ...]) -> SourceSettings:
    """Read the settings. Raises InvalidInput naming what is wrong."""
    data, authority, docker_config = contents
    document = parse_object(data, bytes_max=RULES_BYTES, what="registries") if data else {}
    if unknown := set(document) - {"registries", "plainHTTP", "redirectHosts", "refreshSeconds"}:
        raise InvalidInput("is not known", field=f"registries.{min(unknown)}")
    return SourceSettings(
        rules=_rules(document),
        credentials=parse_credentials(docker_config) if docker_config else Credentials(),
        context=_context(authority),
        refresh=_refresh(document.get("refreshSeconds", REFRESH_SECONDS)),
    )


def _refresh(value: object) -> float:
    if not isinstance(value, int) or not REFRESH_LEAST <= value <= REFRESH_MOST:
        message = f"must be {REFRESH_LEAST} to {REFRESH_MOST}"
        raise InvalidInput(message, field="registries.refreshSeconds")
    return float(value)


def _rules(document: Mapping[str, object]) -> RegistryRules:
    registries, plain, redirect = (
        _hosts(document.get(name), name) for name in ("registries", "plainHTTP", "redirectHosts")
    )
    if plain - registries:
        raise InvalidInput("must be listed in registries too", field="registries.plainHTTP")
    return RegistryRules(registries, plain, redirect)


def _hosts(value: object, name: str) -> frozenset[str]:
    entries = [] if value is None else value
    if not isinstance(entries, list):
        raise InvalidInput("must be a list", field=f"registries.{name}")
    for entry in entries:
        if not isinstance(entry, str) or not is_registry(entry):
            raise InvalidInput("must hold host or host:port", field=f"registries.{name}[]")
    return frozenset(entries)


def _context(authority: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authority.strip():
        try:
            context.load_verify_locations(cadata=authority.decode("ascii"))
        except (ssl.SSLError, UnicodeError):
            message = "must hold certificates (PEM)"
            raise InvalidInput(message, field="evidence.registryCA") from None
    return context


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field=str(path)) from None
    if len(data) > bytes_max:
        raise InvalidInput(f"has more than {bytes_max} bytes", field=str(path))
    return data
