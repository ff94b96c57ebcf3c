"""Texts that the checks must find, built when they are needed: no credential is written down."""

from __future__ import annotations

import random
import string

_ALNUM = string.ascii_letters + string.digits
_TOKEN = _ALNUM + "_-"
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits


def secrets(seed: int = 7) -> dict[str, str]:
    """One random credential for every rule of the secrets check."""
    rng = random.Random(seed)

    def some(alphabet: str, count: int) -> str:
        return "".join(rng.choices(alphabet, k=count))

    return {
        "aws-access-key-id": "AKI" + "A" + some(string.ascii_uppercase + "234567", 16),
        "aws-secret-access-key": "aws_secret_access_key = " + some(_ALNUM + "/+", 40),
        "gcp-api-key": "AIz" + "a" + some(_TOKEN, 35),
        "gcp-oauth-token": "ya29" + "." + some(_TOKEN, 60),
        "gcp-client-secret": "GOCSPX" + "-" + some(_ALNUM, 28),
        "azure-storage-key": "AccountKey=" + some(_ALNUM + "+/", 86) + "==",
        "azure-client-secret": some(_ALNUM, 3) + "8Q~" + some(_ALNUM, 34),
        "azure-shared-access-signature": "?sv=1&sig=" + some(_ALNUM, 43) + "%3D",
        "digitalocean-token": "dop_" + "v1_" + some(_HEX, 64),
        "github-token": "gh" + "p_" + some(_ALNUM, 36),
        "github-fine-grained-token": "github" + "_pat_" + some(_ALNUM, 22) + "_" + some(_ALNUM, 59),
        "gitlab-token": "gl" + "pat-" + some(_ALNUM, 20),
        "npm-token": "npm" + "_" + some(_ALNUM, 36),
        "python-index-token": "pypi" + "-AgE" + some(_TOKEN, 80),
        "hugging-face-token": "hf" + "_" + some(_ALNUM, 34),
        "container-registry-token": "dckr" + "_pat_" + some(_TOKEN, 27),
        "rubygems-token": "rubygems" + "_" + some(_HEX, 48),
        "llm-provider-key": "sk" + "-1a" + some(_ALNUM, 46),
        "anthropic-key": "sk" + "-ant-" + "api03-" + some(_TOKEN, 90),
        "slack-token": "xox" + "b-" + some(string.digits, 12) + "-" + some(_ALNUM, 24),
        "slack-app-token": "xapp" + "-1-" + some(_UPPER, 11) + "-" + some(string.digits, 13),
        "slack-webhook": "hooks.slack." + "com/services/" + some(_UPPER, 9) + "/" + some(_UPPER, 9),
        "stripe-key": "sk" + "_live_" + some(_ALNUM, 24),
        "webhook-signing-secret": "whsec" + "_" + some(_ALNUM, 32),
        "sendgrid-key": "SG" + "." + some(_TOKEN, 22) + "." + some(_TOKEN, 43),
        "twilio-key": "S" + "K" + some(_HEX, 32),
        "mailgun-key": "key" + "-" + some(_HEX, 32),
        "databricks-token": "dapi" + some(_HEX, 32),
        "shopify-token": "shp" + "at_" + some(_HEX, 32),
        "square-token": "sq0" + "atp-" + some(_TOKEN, 22),
        "vault-token": "hvs" + "." + some(_TOKEN, 30),
        "terraform-token": some(_ALNUM, 14) + ".atlasv1." + some(_TOKEN, 60),
        "grafana-token": "glsa" + "_" + some(_ALNUM, 32) + "_" + some(_HEX, 8),
        "linear-key": "lin" + "_api_" + some(_ALNUM, 40),
        "telegram-bot-token": some("123456789", 9) + ":AA" + some(_TOKEN, 33),
        "age-secret-key": "AGE" + "-SECRET-KEY-1" + some(_UPPER, 58),
        "private-key": "-----BEGIN " + "RSA PRIVATE KEY-----\n" + some(_ALNUM + "+/", 200),
        "json-web-token": "ey" + "J" + some(_ALNUM, 20) + ".eyJ" + some(_ALNUM, 60) + ".c2ln",
        "url-with-password": "postgres" + "://app:" + some(_ALNUM, 12) + "@db.example.com/main",
        "named-secret": "password" + ": '" + some(_ALNUM, 18) + "7aZ'",
    }  # fmt: skip


PII = {
    "email": "jo.doe+news@mail.example.com",
    "phone-international": "+49 30 901820123",
    "phone-north-america": "(415) 555-0132",
    "payment-card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "us-social-security": "078-05-1120",
}
"""Published sample values; none belongs to anybody."""
