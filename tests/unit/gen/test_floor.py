"""The floor as documents: what is made from values, and what stands fixed."""

import msgspec
import pytest
import yaml

from quorate import names
from quorate.admission import floor, injection
from quorate.admission.audit_storage import AuditStorage
from quorate.admission.cel_literal import Expression, literal
from quorate.admission.injection import InjectionConfig, Resources
from tools.gen.injection_template import floor_template, helm_config, injection_template

CONFIG = InjectionConfig(
    image=f"registry.example.test/sidecar@sha256:{'c' * 64}",
    genesis_digest=f"sha256:{'d' * 64}",
    member_url="https://quorate-{member}.quorate-system.svc:8443",
    measure_resources=Resources("500m", "256Mi"),
    sidecar_resources=Resources("250m", "192Mi"),
    drain_seconds=5,
)
FLOOR = floor.FloorConfig(CONFIG, CONFIG.image)
CLUSTER_WIDE = (
    "cordon",
    "parameter",
    "token",
    "mode",
    "restore",
    "configuration",
    "removal",
)
CLAIM = "injection.audit.persistentVolumeClaim"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "'text'"),
        ("a['b']", "\"a['b']\""),
        (True, "true"),
        (7, "7"),
        ([], "[]"),
        ({}, "{}"),
        (["a", "b"], "['a', 'b']"),
        (["a", Expression("x.y")], "[dyn('a'), dyn(x.y)]"),
        ({"k": Expression("x.y")}, "{\n  'k': dyn(x.y)\n}"),
    ],
)
def test_literals(value: object, expected: str) -> None:
    """JSON values become CEL; expressions stay what they are."""
    assert literal(value) == expected


@pytest.mark.parametrize("text", ["a'b\"c", "back\\slash", "two\nlines", "it's\\"])
def test_a_string_that_needs_escaping_is_refused(text: str) -> None:
    """A quote that ends a literal early would change what a policy says."""
    with pytest.raises(ValueError, match="no CEL string"):
        literal(text)


def test_what_has_no_literal_is_refused() -> None:
    """A number that is no integer, or None, has no place in an injected container."""
    with pytest.raises(TypeError):
        literal(1.5)


@pytest.mark.requirement("floor bound to mode=enforce only; token floor cluster-wide")
def test_bindings_deny_where_they_should() -> None:
    """Every binding denies; all but the cluster-wide ones keep to enforced namespaces, not ours."""
    bindings = {
        document["metadata"]["name"]: document["spec"]
        for document in floor.policies(FLOOR)
        if document["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert set(bindings) == {
        f"quorate-floor-{part}"
        for part in ("injection", "required", "gate", "connect", "labels", *CLUSTER_WIDE)
    }
    for name, spec in bindings.items():
        assert spec["validationActions"] == ["Deny"]
        if name.removeprefix("quorate-floor-") in CLUSTER_WIDE:
            assert "matchResources" not in spec
            continue
        selector = spec["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert selector[0] == {"key": names.MODE_LABEL, "operator": "In", "values": ["enforce"]}
        assert set(selector[1]["values"]) == {names.NAMESPACE, "kube-system", "kube-node-lease"}
        if "paramRef" in spec:
            assert spec["paramRef"]["parameterNotFoundAction"] == "Deny"


@pytest.mark.requirement("floor fails closed")
def test_policies_fail_closed_and_say_why() -> None:
    """An expression that cannot be evaluated denies; every message begins with a reason word."""
    for document in floor.policies(FLOOR):
        if document["kind"] != "ValidatingAdmissionPolicy":
            continue
        assert document["spec"]["failurePolicy"] == "Fail"
        for validation in document["spec"]["validations"]:
            reason, colon, text = validation["message"].partition(": ")
            assert colon
            assert reason.isalpha()
            assert text
            assert "\n" not in validation["message"]


@pytest.mark.requirement("mutate, validate and floor generated from one source")
@pytest.mark.parametrize("field", ["cpu", "memory"])
def test_a_change_of_the_injection_changes_the_floor(field: str) -> None:
    """Resources and member of the configuration are part of what the floor compares with."""
    other = msgspec.structs.replace(
        CONFIG,
        measure_resources=msgspec.structs.replace(CONFIG.measure_resources, **{field: "3"}),
    )
    assert floor.policies(floor.FloorConfig(other, other.image)) != floor.policies(FLOOR)
    elsewhere = msgspec.structs.replace(CONFIG, member_url="https://member.example.test:1")
    assert floor.policies(floor.FloorConfig(elsewhere, CONFIG.image)) != floor.policies(FLOOR)


@pytest.mark.requirement("pods begin with the members of the epoch they were injected in")
def test_the_floor_takes_the_members_of_any_epoch() -> None:
    """Names of members are the pod's own, in both containers alike; their form is not."""
    seated = msgspec.structs.replace(CONFIG, members=("member-0", "member-7"))
    assert floor.policies(floor.FloorConfig(seated, CONFIG.image)) == floor.policies(FLOOR)
    (spec,) = (
        d["spec"]
        for d in floor.policies(FLOOR)
        if d["kind"] == "ValidatingAdmissionPolicy"
        and d["metadata"]["name"] == "quorate-floor-injection"
    )
    expressions = [validation["expression"] for validation in spec["validations"]]
    assert sum(") + variables.members" in expression for expression in expressions) == 2
    (form,) = (e for e in expressions if "variables.members.all" in e)
    assert injection.MEMBER_NAME in form
    assert "size(variables.members) <= 13" in form


@pytest.mark.requirement(
    "members are replaced one at a time by the operator, and nothing else of ours"
)
def test_what_the_operator_may_delete_of_ours() -> None:
    """In the installation's own namespace pods with a member's label, and by UID as everywhere."""
    made = {
        d["metadata"]["name"]: d["spec"]
        for d in floor.policies(FLOOR)
        if d["kind"] == "ValidatingAdmissionPolicy"
    }
    where, one = (v["expression"] for v in made["quorate-floor-removal"]["validations"])
    ours, elsewhere = where.removeprefix("request.namespace == 'quorate-system'\n  ? ").split(" : ")
    assert "'quorate.dev/member' in oldObject.metadata.labels" in ours
    assert "'enforce'" in elsewhere
    assert "preconditions.uid == oldObject.metadata.uid" in one


@pytest.mark.requirement("the genesis digest comes from where only the install Job writes")
def test_the_genesis_is_read_at_evaluation() -> None:
    """The digest of the configuration is in no policy: the parameter says it."""
    text = str(floor.policies(FLOOR))
    assert CONFIG.genesis_digest not in text
    assert "params.metadata.annotations['quorate.dev/genesis-digest']" in text


@pytest.mark.requirement("mutate, validate and floor generated from one source")
@pytest.mark.parametrize("claim", ["", "records"])
def test_the_template_rendered_is_the_floor(claim: str) -> None:
    """With its values in place the chart's template is what the library makes."""
    audit = AuditStorage("64Mi", claim)
    text = floor_template().replace('{{- include "quorate.labels" . | nindent 4 }}', "x: y")
    for path, value in (
        ("images.previousSidecar | default .Values.images.sidecar", CONFIG.image),
        ("images.sidecar", CONFIG.image),
        ("floor.denyUnselected", "false"),
        ("injection.measureResources.cpu", "500m"),
        ("injection.measureResources.memory", "256Mi"),
        ("injection.sidecarResources.cpu", "250m"),
        ("injection.sidecarResources.memory", "192Mi"),
        (f"{CLAIM} | default .Values.injection.audit.sizeLimit", claim or "64Mi"),
        (CLAIM, claim),
        ("injection.audit.sizeLimit", "64Mi"),
    ):
        text = text.replace(f"{{{{ .Values.{path} }}}}", value)
    for words in (("persistentVolumeClaim", "emptyDir"), ("claimName", "sizeLimit")):
        choice = f'{{{{ ternary "{words[0]}" "{words[1]}" (ne .Values.{CLAIM} "") }}}}'
        text = text.replace(choice, words[0] if claim else words[1])
    assert "{{" not in text
    rendered = list(yaml.safe_load_all(text))
    for document in rendered:
        del document["metadata"]["labels"]
    config = msgspec.structs.replace(CONFIG, audit=audit)
    assert rendered == floor.policies(floor.FloorConfig(config, CONFIG.image))


def test_the_config_map_holds_what_the_floor_compares_with() -> None:
    """Every value in the floor's template is in the ConfigMap's, so the two cannot part."""
    config = helm_config().injection
    text = injection_template()
    for value in (
        config.image,
        config.member_url,
        config.measure_resources.cpu,
        config.measure_resources.memory,
        config.sidecar_resources.cpu,
        config.sidecar_resources.memory,
        config.audit.size_limit,
        config.audit.persistent_volume_claim,
    ):
        assert value in text
    assert set(injection.InjectionConfig.__struct_fields__) == {
        *("image", "genesis_digest", "member_url", "measure_resources", "sidecar_resources"),
        *("drain_seconds", "audit", "members", "canaries"),
    }, "a new field of the injection needs a place in the chart's ConfigMap"
    assert config.members == (), "who the members are is the history's to say, not the chart's"
