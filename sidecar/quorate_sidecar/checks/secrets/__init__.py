"""Credentials: keys, tokens and passwords in the forms their issuers publish.

Finds text that has an issuer's prefix and length, or a name such as ``password`` followed by a
value too random to be prose. Does not find a secret without any form (a bare random string), nor
one that was encoded or taken apart before it was written.
"""

from quorate_sidecar.checks.base import PatternCheck
from quorate_sidecar.checks.secrets.cloud import CLOUD
from quorate_sidecar.checks.secrets.forges import FORGES
from quorate_sidecar.checks.secrets.generic import GENERIC
from quorate_sidecar.checks.secrets.services import SERVICES

SECRETS = PatternCheck("secrets", (*CLOUD, *FORGES, *SERVICES, *GENERIC))
