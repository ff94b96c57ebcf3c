"""A client of OCI registries that trusts neither the registry nor whoever chose it."""

from quorate_io.registry.client import RegistryClient
from quorate_io.registry.credentials import Credential, Credentials, parse_credentials
from quorate_io.registry.failures import RegistryFailed, Why
from quorate_io.registry.rules import RegistryRules

__all__ = [
    "Credential",
    "Credentials",
    "RegistryClient",
    "RegistryFailed",
    "RegistryRules",
    "Why",
    "parse_credentials",
]
