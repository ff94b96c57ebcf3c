"""The content checks this sidecar knows, one folder each."""

from quorate_sidecar.checks.base import Check
from quorate_sidecar.checks.pii import PII
from quorate_sidecar.checks.secrets import SECRETS

REGISTRY: dict[str, Check] = {check.name: check for check in (SECRETS, PII)}
"""By the name a policy gives. A policy that names another check does not compile."""
