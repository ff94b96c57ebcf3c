"""Credentials of cloud providers."""

from quorate.content.patterns import BASE64, TOKEN, TOKEN_DOTTED, Pattern
from quorate.content.secrets.randomness import random_after

CLOUD = (
    Pattern(
        "aws-access-key-id",
        rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
        length_max=20,
        accept=random_after(4, 2.5),
    ),
    Pattern(
        "aws-secret-access-key",
        rb"(?i)secret_?access_?key[\"']?[ \t]{0,3}[:=]{1,2}>?[ \t]{0,3}[\"']?[A-Z0-9/+]{40}",
        length_max=70,
        gaps=2,
        tail=BASE64,
        accept=lambda match: random_after(0, 3.5)(match[-40:]),
    ),
    Pattern(
        "gcp-api-key",
        rb"AIza[0-9A-Za-z_-]{35}",
        length_max=39,
        tail=TOKEN,
        accept=random_after(4, 3.0),
    ),
    Pattern(
        "gcp-oauth-token",
        rb"\bya29\.[0-9A-Za-z_-]{30}",
        length_max=35,
        tail=TOKEN_DOTTED,
        accept=random_after(5, 3.0),
    ),
    Pattern("gcp-client-secret", rb"GOCSPX-[0-9A-Za-z_-]{28}", length_max=35, tail=TOKEN),
    Pattern(
        "azure-storage-key",
        rb"(?i)\baccountkey=[A-Z0-9+/]{86}==",
        length_max=99,
        accept=random_after(11, 3.5),
    ),
    Pattern(
        "azure-client-secret",
        rb"[0-9]Q~[0-9A-Za-z_~.-]{31}",
        length_max=37,
        lead=TOKEN_DOTTED + b"~",
        lead_max=3,
        tail=TOKEN_DOTTED + b"~",
        accept=lambda match: match.find(b"Q~") == 4 and random_after(6, 3.0)(match),
    ),
    Pattern(
        "azure-shared-access-signature",
        rb"[?&]sig=[0-9A-Za-z%]{43,53}%3[Dd]",
        length_max=61,
        accept=random_after(5, 3.5),
    ),
    Pattern("digitalocean-token", rb"do[opr]_v1_[0-9a-f]{64}\b", length_max=71),
)
