"""Credentials of code forges, package registries and model hubs."""

from quorate.content.patterns import TOKEN, TOKEN_DOTTED, Pattern
from quorate.content.secrets.randomness import random_after

FORGES = (
    Pattern(
        "github-token",
        rb"gh[pousr]_[0-9A-Za-z]{36}",
        length_max=40,
        tail=TOKEN,
        accept=random_after(4, 3.0),
    ),
    Pattern(
        "github-fine-grained-token",
        rb"github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{20}",
        length_max=54,
        tail=TOKEN,
        accept=random_after(11, 3.0),
    ),
    Pattern(
        "gitlab-token",
        rb"gl(?:pat|dt|rt|cbt|ptt|ft|agent|soat)-[0-9A-Za-z_-]{20}",
        length_max=28,
        tail=TOKEN_DOTTED,
        accept=random_after(6, 3.0),
    ),
    Pattern(
        "npm-token",
        rb"npm_[0-9A-Za-z]{36}",
        length_max=40,
        tail=TOKEN,
        accept=random_after(4, 3.0),
    ),
    Pattern(
        "python-index-token",
        rb"pypi-AgE[0-9A-Za-z_-]{30}",
        length_max=38,
        tail=TOKEN,
        accept=random_after(8, 3.0),
    ),
    Pattern(
        "hugging-face-token",
        rb"\bhf_[A-Za-z0-9]{30}",
        length_max=33,
        tail=TOKEN,
        accept=random_after(3, 3.0),
    ),
    Pattern("container-registry-token", rb"dckr_pat_[0-9A-Za-z_-]{27}", length_max=36, tail=TOKEN),
    Pattern(
        "rubygems-token", rb"rubygems_[0-9a-f]{48}\b", length_max=57, accept=random_after(9, 2.5)
    ),
)
