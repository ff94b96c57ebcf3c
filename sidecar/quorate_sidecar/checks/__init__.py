"""The content checks this sidecar knows, one folder each."""

from quorate.content.patterns import Check
from quorate.content.pii import PII
from quorate.content.secrets import SECRETS

REGISTRY: dict[str, Check] = {check.name: check for check in (SECRETS, PII)}
"""By the name a policy gives. A policy that names another check does not compile."""
