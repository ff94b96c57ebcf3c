"""Credentials: keys, tokens and passwords in the forms their issuers publish.

Finds text that has an issuer's prefix and length, or a name such as ``password`` followed by a
value too random to be prose. Does not find a secret without any form (a bare random string), nor
one that was encoded or taken apart before it was written.
"""

from quorate.content.patterns import PatternCheck
from quorate.content.secrets.cloud import CLOUD
from quorate.content.secrets.forges import FORGES
from quorate.content.secrets.generic import GENERIC
from quorate.content.secrets.services import SERVICES

SECRETS = PatternCheck("secrets", (*CLOUD, *FORGES, *SERVICES, *GENERIC))
