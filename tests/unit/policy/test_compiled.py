"""Compiling policies: what the schema cannot say, and a digest that covers everything said."""

from typing import Any

import pytest
from cryptography import x509

from quorate.api.v1alpha1 import ClusterSafetyPolicy, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.api.v1alpha1.safety_policy import LabelSelector
from quorate.errors import InvalidInput
from quorate.policy.compiled import CompiledPolicy, compile_policy, selects
from tests.fakes.authorities import Authority, pem
from tests.fakes.vouching import EXEMPT_DIGEST, SERVER_DIGEST, gate, policy, signer, signers

KEY, OTHER = signer(), signer()


def compiled(spec: dict[str, Any], **kwargs: Any) -> CompiledPolicy:
    document = policy(spec, **kwargs)
    if document["kind"] == "SafetyPolicy":
        return compile_policy(read(SafetyPolicy, document))
    return compile_policy(read(ClusterSafetyPolicy, document))


FULL: dict[str, Any] = {
    "selector": {"matchLabels": {"app": "chat"}},
    "model": {
        "signers": signers(KEY),
        "gates": [gate(KEY)],
        "servers": [{"name": "server", "digest": SERVER_DIGEST}],
        "volumes": [{"name": "tmp", "kind": "emptyDir", "mountPath": "/tmp"}],
    },
    "runtime": {
        "upstream": {"port": 8000, "probePaths": ["/health"], "metricsPath": "/metrics"},
        "checks": [{"name": "secrets", "action": "deny"}],
        "limits": {"requestsPerMinute": 60},
    },
    "exemptImages": [{"digest": EXEMPT_DIGEST, "reason": "runs batch jobs without a model"}],
}

CHANGES: list[tuple[str, ...]] = [
    ("selector", "matchLabels", "app"),
    ("model", "servers"),
    ("model", "volumes"),
    ("model", "gates"),
    ("model", "signers"),
    ("runtime", "checks"),
    ("runtime", "limits"),
    ("runtime", "upstream", "metricsPath"),
    ("exemptImages",),
]


def without(document: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    head, *rest = path
    copy = dict(document)
    if rest:
        copy[head] = without(copy[head], tuple(rest))
    else:
        del copy[head]
    return copy


@pytest.mark.parametrize("path", CHANGES, ids=".".join)
def test_every_field_is_in_the_digest(path: tuple[str, ...]) -> None:
    """Taking any field away changes the digest, so no certificate survives a changed policy."""
    assert compiled(without(FULL, path)).digest != compiled(FULL).digest


def test_identity_is_in_the_digest() -> None:
    """The same words in another namespace, or under another name, are another policy."""
    spec = without(FULL, ("exemptImages",))
    digests = {
        compiled(spec, name=name, namespace=namespace).digest
        for name in ("a", "b")
        for namespace in (None, "x", "y")
    }
    assert len(digests) == 6


@pytest.mark.requirement("the same key twice in a 2-of-n: a clear error")
def test_threshold_counts_different_keys() -> None:
    """Two names for one key do not make two keys."""
    with pytest.raises(InvalidInput, match="number of different signers"):
        compiled({"model": {"signers": signers(KEY, KEY, threshold=2)}})


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"owners": None}, "owners"),
        ({"model": {"signers": {"keys": [{"name": "k", "publicKey": "x" * 64}]}}}, "keys[k]"),
        ({"model": {"gates": [gate(KEY), gate(KEY)]}}, "gates"),
        ({"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "selector.a"),
        (
            {
                "selector": {
                    "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["1"]}]
                }
            },
            "selector.a",
        ),
        ({"unknown": 1}, "unknown"),
        ({"node": {}}, "node"),
    ],
)
def test_errors_name_the_field(spec: dict[str, Any], field: str) -> None:
    """What cannot be meant is refused with the field that is wrong."""
    with pytest.raises(InvalidInput) as caught:
        compiled(spec)
    assert field in str(caught.value)


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchLabels": {"a": "1"}}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"a": "1"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        (
            {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]},
            {"a": "1"},
            False,
        ),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
    ],
)
def test_selectors_select_as_kubernetes_does(
    selector: dict[str, Any], labels: dict[str, str], expected: bool
) -> None:
    """Every operator, with and without the label."""
    assert selects(LabelSelector.model_validate(selector), labels) is expected


ROOT = Authority("Root")
LEAF = ROOT.signer(x509.RFC822Name("signer@example.com"))[1]
CERTIFICATE = {"name": "c", "ca": pem(ROOT.certificate), "subjectAlternativeName": "a@example.com"}
KEYLESS = {"name": "k", "identity": "a@example.com", "issuer": "https://issuer.example.com"}


def signed_by(**fields: Any) -> dict[str, Any]:
    return {"model": {"signers": fields}}


@pytest.mark.requirement("policies name keys, certificates and keyless identities")
def test_every_kind_of_signer_compiles() -> None:
    """Anchors are read when the policy is, and count towards what the threshold may be."""
    policy = compiled(
        signed_by(
            threshold=3,
            keys=signers(KEY)["keys"],
            certificates=[CERTIFICATE],
            keyless=[KEYLESS],
            trustedRoot="{}",
        )
    )
    assert policy.signers is not None
    assert policy.signers.size == 3
    assert policy.signers.certificates[0].authorities == (ROOT.certificate,)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"certificates": [CERTIFICATE | {"ca": pem(LEAF)}]}, "certificates[c].ca"),
        ({"certificates": [CERTIFICATE | {"ca": "x" * 64}]}, "certificates[c].ca"),
        ({"certificates": [CERTIFICATE | {"commonName": "A"}]}, "certificates[c]"),
        (
            {"certificates": [CERTIFICATE | {"timestampAuthority": "x" * 64}]},
            "certificates[c].timestampAuthority",
        ),
        ({"certificates": [CERTIFICATE, CERTIFICATE | {"name": "d"}], "threshold": 2}, "threshold"),
        ({"keyless": [KEYLESS]}, "trustedRoot"),
        ({"keyless": [KEYLESS], "trustedRoot": "no"}, "trustedRoot"),
        (
            {"keyless": [KEYLESS, KEYLESS | {"name": "l"}], "trustedRoot": "{}", "threshold": 2},
            "thr",
        ),
        ({}, "threshold"),
    ],
)
def test_signers_that_mean_nothing_do_not_compile(fields: dict[str, Any], field: str) -> None:
    """What the schema cannot see is refused with the field's name."""
    with pytest.raises(InvalidInput) as caught:
        compiled(signed_by(**fields))
    assert field in str(caught.value)


def test_what_signatures_may_leave_out_is_the_policys() -> None:
    """Git's own files may be named as left out unless a policy says otherwise; shards may not."""
    assert compiled({}).accepted.ignore_paths == (".git", ".gitattributes", ".github", ".gitignore")
    assert compiled({}).accepted.shard_sizes == ()
    strict = compiled({"model": {"ignorePaths": [], "shardSizes": [1 << 20]}})
    assert strict.accepted.ignore_paths == ()
    assert strict.accepted.shard_sizes == (1 << 20,)
