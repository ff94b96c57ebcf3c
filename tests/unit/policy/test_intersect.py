"""Several policies on one pod: all hold, the strictest wins, silence allows nothing."""

from typing import Any

import pytest

from quorate.api.v1alpha1 import ClusterSafetyPolicy, SafetyPolicy
from quorate.api.v1alpha1.meta import read
from quorate.policy import intersect
from quorate.policy.compiled import CompiledPolicy, compile_policy
from quorate.policy.runtime import CheckRule
from quorate.verdict import Reason
from tests.fakes.vouching import EXEMPT_DIGEST, SERVER_DIGEST, policy, signer, signers

KEY = signer()
SIGNED = {"signers": signers(KEY)}
OTHER_DIGEST = f"sha256:{'d' * 64}"


def cluster(spec: dict[str, Any] | None = None, **kwargs: Any) -> CompiledPolicy:
    return compile_policy(read(ClusterSafetyPolicy, policy(spec, **kwargs)))


def tenant(spec: dict[str, Any] | None = None, **kwargs: Any) -> CompiledPolicy:
    document = policy(spec, namespace=kwargs.pop("namespace", "team-a"), **kwargs)
    return compile_policy(read(SafetyPolicy, document))


def reason(selected: intersect.Selected) -> Reason | None:
    return selected.verdict.denials[0].reason if selected.verdict.denials else None


@pytest.mark.requirement("no policy selects → DENY")
def test_no_policy_denies() -> None:
    """Nothing selects the pod: never a vacuous allow."""
    assert reason(intersect.select([], "team-a", {})) is Reason.NO_POLICY
    elsewhere = [tenant({"model": SIGNED}, namespace="team-b")]
    assert reason(intersect.select(elsewhere, "team-a", {})) is Reason.NO_POLICY


@pytest.mark.requirement("a tenant's own policy is never the only one")
def test_tenants_policy_is_never_enough() -> None:
    """Without a cluster policy that names signers the pod is denied."""
    mine = tenant({"model": SIGNED})
    assert reason(intersect.select([mine], "team-a", {})) is Reason.NO_PLATFORM_FLOOR
    silent_floor = cluster()
    assert reason(intersect.select([mine, silent_floor], "team-a", {})) is Reason.NO_PLATFORM_FLOOR
    floor = cluster({"model": SIGNED})
    assert intersect.select([mine, floor], "team-a", {}).verdict.allowed


def test_too_many_policies_deny() -> None:
    """A pod under more policies than anybody could explain is denied."""
    many = [cluster({"model": SIGNED}, name=f"p{i}") for i in range(17)]
    assert reason(intersect.select(many, "team-a", {})) is Reason.TOO_MANY_POLICIES
    assert intersect.select(many[:16], "team-a", {}).verdict.allowed


@pytest.mark.requirement("two policies → the stricter wins")
def test_strictest_value_wins() -> None:
    """Smallest bounds, strictest action, fewest probe paths, whichever comes first."""
    loose = cluster(
        {
            "runtime": {
                "upstream": {"port": 8000, "probePaths": ["/health", "/ready"]},
                "checks": [
                    {"name": "secrets", "action": "flag"},
                    {"name": "pii", "action": "deny"},
                ],
                "limits": {"maxRequestBytes": 4096, "requestsPerMinute": 10},
            }
        },
        name="loose",
    )
    tight = tenant(
        {
            "runtime": {
                "upstream": {"port": 8000, "probePaths": ["/health"], "metricsPath": "/metrics"},
                "checks": [
                    {"name": "secrets", "action": "deny"},
                    {"name": "pii", "action": "mask"},
                ],
                "limits": {"maxRequestBytes": 8192, "requestsPerMinute": 5},
            }
        }
    )
    one, two = (intersect.runtime_rules(order) for order in ((loose, tight), (tight, loose)))
    assert one == two
    assert one.probe_paths == ("/health",)
    assert one.metrics_path is None
    assert (one.max_request_bytes, one.requests_per_minute) == (4096, 5)
    assert one.checks == (CheckRule("pii", "deny"), CheckRule("secrets", "deny"))


def test_conflicting_or_missing_ports_deny() -> None:
    """Two ports cannot both hold, and no port is no rule."""
    one = cluster({"runtime": {"upstream": {"port": 8000}}})
    two = tenant({"runtime": {"upstream": {"port": 9000}}})
    with pytest.raises(intersect.PolicyConflict, match="8000, 9000"):
        intersect.runtime_rules((one, two))
    with pytest.raises(intersect.PolicyConflict, match="no policy"):
        intersect.runtime_rules((cluster(),))


def test_servers_and_volumes_intersect() -> None:
    """An image or volume counts only if every policy that names any names it."""
    server = {"name": "s", "digest": SERVER_DIGEST}
    other = {"name": "o", "digest": OTHER_DIGEST}
    tmp = {"name": "tmp", "kind": "emptyDir"}
    wide = cluster({"model": {"servers": [server, other], "volumes": [tmp]}})
    narrow = tenant({"model": {"servers": [server], "volumes": []}})
    silent = tenant(name="silent")
    assert intersect.allowed_servers([wide, narrow, silent]) == {SERVER_DIGEST}
    assert intersect.allowed_servers([silent]) == frozenset()
    assert intersect.allowed_volumes([wide, silent]) == {("tmp", "emptyDir")}
    assert intersect.allowed_volumes([wide, narrow]) == frozenset()


def test_a_tenants_policy_allows_nothing_by_itself() -> None:
    """Where the platform's policies name no servers, downloaders or volumes, a tenant's own cannot:
    its image would answer with whatever it holds, beside a model that is measured and not used."""
    model = {
        "servers": [{"name": "s", "digest": SERVER_DIGEST}],
        "downloaders": [{"name": "d", "digest": OTHER_DIGEST}],
        "volumes": [{"name": "config", "kind": "configMap"}],
    }
    own = [cluster(), tenant({"model": model})]
    assert intersect.allowed_servers(own) == frozenset()
    assert intersect.allowed_downloaders(own) == frozenset()
    assert intersect.allowed_volumes(own) == frozenset()
    assert intersect.allowed_servers([cluster({"model": model}), tenant()]) == {SERVER_DIGEST}


@pytest.mark.parametrize("turn", [1, -1])
@pytest.mark.parametrize(
    ("platform", "own", "expected"),
    [
        ("/etc/chat", None, {"/etc/chat"}),
        ("/etc/chat", "/etc/chat", {"/etc/chat"}),
        ("/etc/chat", "/usr/lib/python3", set()),
        (None, "/usr/lib/python3", set()),
        (None, None, set()),
    ],
)
def test_the_platform_places_what_a_tenant_writes(
    platform: str | None, own: str | None, expected: set[str], turn: int
) -> None:
    """Files of a tenant's lie where a ClusterSafetyPolicy says; no word of the tenant's own, and no
    order of the policies, moves them elsewhere."""

    def naming(place: str | None) -> dict[str, Any]:
        volume = {"name": "config", "kind": "configMap"} | ({"mountPath": place} if place else {})
        return {"model": {"volumes": [volume, {"name": "tmp", "kind": "emptyDir"}]}}

    policies = [cluster(naming(platform)), tenant(naming(own))][::turn]
    assert intersect.volume_places(policies) == {("config", "configMap"): frozenset(expected)}


@pytest.mark.requirement("exceptions intersect, never union")
def test_exemptions_intersect() -> None:
    """An image is exempt only if every cluster policy that selects the pod says so."""
    exempt = {"exemptImages": [{"digest": EXEMPT_DIGEST, "reason": "batch"}]}
    digests = frozenset({EXEMPT_DIGEST})
    a, b = cluster(exempt, name="a"), cluster(name="b")
    elsewhere = cluster(name="c", selector={"matchLabels": {"other": "yes"}})
    assert intersect.is_exempt([a], {}, digests)
    assert intersect.is_exempt([a, elsewhere], {}, digests)
    assert not intersect.is_exempt([a, b], {}, digests)
    assert not intersect.is_exempt([], {}, digests)
    assert not intersect.is_exempt([a], {}, frozenset())
    assert not intersect.is_exempt([a], {}, digests | {""})
