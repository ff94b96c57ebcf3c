"""Credentials of hosted services."""

from quorate.content.patterns import TOKEN, TOKEN_DOTTED, VISIBLE, Pattern
from quorate.content.secrets.randomness import is_placeholder, random_after

_LLM_RANDOM = random_after(3, 3.5)


def _llm_key(match: bytes) -> bool:
    has_digit = any(48 <= byte <= 57 for byte in match)
    return has_digit and not match.startswith(b"sk-ant-") and _LLM_RANDOM(match)


SERVICES = (
    Pattern(
        "llm-provider-key", rb"\bsk-[0-9A-Za-z_-]{29}", length_max=32, tail=TOKEN, accept=_llm_key
    ),
    Pattern(
        "anthropic-key",
        rb"sk-ant-[a-z]{2,8}[0-9]{2}-[0-9A-Za-z_-]{20}",
        length_max=38,
        tail=TOKEN,
    ),
    Pattern(
        "slack-token",
        rb"xox[abeoprs]-[0-9A-Za-z-]{20}",
        length_max=25,
        tail=TOKEN,
        accept=lambda match: not is_placeholder(match),
    ),
    Pattern("slack-app-token", rb"xapp-[0-9]-[0-9A-Z]{8,14}-[0-9]{8}", length_max=30, tail=TOKEN),
    Pattern(
        "slack-webhook",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Z]{8,14}/[0-9A-Za-z]{8,20}",
        length_max=63,
        tail=TOKEN + b"/",
    ),
    Pattern(
        "stripe-key",
        rb"[rs]k_(?:live|test)_[0-9A-Za-z]{16}",
        length_max=24,
        tail=TOKEN,
        accept=random_after(8, 2.5),
    ),
    Pattern(
        "webhook-signing-secret", rb"whsec_[0-9A-Za-z+/]{24}", length_max=30, tail=TOKEN + b"+/="
    ),
    Pattern(
        "sendgrid-key", rb"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{30}", length_max=56, tail=TOKEN
    ),
    Pattern("twilio-key", rb"\bSK[0-9a-f]{32}\b", length_max=34, accept=random_after(2, 2.5)),
    Pattern("mailgun-key", rb"\bkey-[0-9a-f]{32}\b", length_max=36, accept=random_after(4, 2.5)),
    Pattern(
        "databricks-token", rb"\bdapi[0-9a-f]{32}\b", length_max=36, accept=random_after(4, 2.5)
    ),
    Pattern("shopify-token", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b", length_max=38),
    Pattern("square-token", rb"sq0[a-z]{3}-[0-9A-Za-z_-]{22}", length_max=29, tail=TOKEN),
    Pattern("vault-token", rb"\bhv[sbr]\.[0-9A-Za-z_-]{24}", length_max=28, tail=TOKEN_DOTTED),
    Pattern(
        "terraform-token",
        rb"\.atlasv1\.[0-9A-Za-z_-]{40}",
        length_max=63,
        lead=TOKEN,
        lead_max=14,
        tail=TOKEN,
        accept=lambda match: match.find(b".atlasv1.") == 14,
    ),
    Pattern("grafana-token", rb"glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}\b", length_max=46),
    Pattern("linear-key", rb"lin_api_[0-9A-Za-z]{40}", length_max=48, tail=TOKEN),
    Pattern("telegram-bot-token", rb"\b[0-9]{8,10}:AA[0-9A-Za-z_-]{33}", length_max=46, tail=TOKEN),
    Pattern("age-secret-key", rb"AGE-SECRET-KEY-1[0-9A-Z]{58}", length_max=74, alphabet=VISIBLE),
)
