import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate import names
from quorate.api.v1alpha1.safety_policy import LabelRequirement, LabelSelector
from quorate.policy.compiled import may_select, selects
from quorate_operator.reconcile.scope import broken_for, policies_for
from tests.unit.operator.scene import FLOOR_SPEC, TEAM, Scene

KEYS = st.sampled_from([names.MODEL_LABEL, "app"])
VALUES = st.sampled_from(["demo", "other", ""])
EXPRESSIONS = st.builds(
    lambda key, operator, values: LabelRequirement(
        key=key, operator=operator, values=values if operator in ("In", "NotIn") else []
    ),
    KEYS,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    st.lists(VALUES, min_size=1, max_size=2),
)
SELECTORS = st.builds(
    LabelSelector,
    match_labels=st.dictionaries(KEYS, VALUES, max_size=2),
    match_expressions=st.lists(EXPRESSIONS, max_size=3),
)


@pytest.mark.requirement("a model is judged under every policy that may select its pods")
@given(SELECTORS, st.dictionaries(st.just("app"), VALUES))
def test_no_policy_that_selects_a_pod_of_the_model_is_left_out(
    selector: LabelSelector, labels: dict[str, str]
) -> None:
    """Property: whatever other labels a pod has, a policy that selects it is in scope."""
    if selects(selector, {**labels, names.MODEL_LABEL: "demo"}):
        assert may_select(selector, "demo")


def test_scope_is_cluster_and_own_namespace_in_a_steady_order() -> None:
    """A neighbour's policies are none of the model's business, broken or not."""
    scene = Scene()
    scene.floor(name="z")
    scene.floor(name="a")
    scene.floor(FLOOR_SPEC, name="mine", namespace=TEAM)
    scene.floor(FLOOR_SPEC, name="theirs", namespace="team-b")
    for namespace in (TEAM, "team-b"):
        scene.floor({"owners": None}, name="broken", namespace=namespace)
    found = policies_for(reversed(scene.world.compiled()), TEAM, "demo")
    assert [policy.ref.name for policy in found] == ["a", "z", "mine"]
    (broken,) = broken_for(scene.world.broken(), TEAM)
    assert broken.namespace == TEAM
