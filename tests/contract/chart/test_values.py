"""Values that are wrong are refused by Helm, with their place."""

import pytest

from tests.contract.chart.rendered import CHART, helm

pytestmark = pytest.mark.cluster


BAD = {
    'images.sidecar="registry.example.test/sidecar:latest"': "/images/sidecar",
    "images.webhook=\"x' || true || '@sha256:" + "0" * 64 + '"': "/images/webhook",
    "member.stateLifeSeconds=5": "/member/stateLifeSeconds",
    "member.stateLifeSeconds=601": "/member/stateLifeSeconds",
    "member.receiptLifeSeconds=901": "/member/receiptLifeSeconds",
    "member.certificateLifeSeconds=86400": "/member/certificateLifeSeconds",
    "member.servingCertificateLifeSeconds=59": "/member/servingCertificateLifeSeconds",
    'committee.preset="huge"': "/committee/preset",
    'committee.members=[{"name":"webhook"}]': "/committee/members/0/name",
    'committee.members=[{"judges":"none"}]': "/committee/members/0/judges",
    'committee.members=[{"key":"x"}]': "/committee/members/0",
    "webhook.replicas=0": "/webhook/replicas",
    'injection.sidecarResources.memory="1024Mi"': "/injection/sidecarResources/memory",
    'injection.sidecarResources.cpu="0.25"': "/injection/sidecarResources/cpu",
    'injection.sidecarResources.cpu="1000m"': "/injection/sidecarResources/cpu",
    "injection.drainSeconds=601": "/injection/drainSeconds",
    "injection.audit.persistentVolumeClaim=\"x' || 'a\"": "/injection/audit/persistentVolumeClaim",
    'injection.audit.sizeLimit="1024Mi"': "/injection/audit/sizeLimit",
    'injection.audit.sizeLimit="16Mi"': "/injection/audit/sizeLimit",
    'injection.audit.sizeLimit="65Gi"': "/injection/audit/sizeLimit",
    'logLevel="loud"': "/logLevel",
    "sidecars.more=1": "sidecars",
    "member.stateLife=60": "stateLife",
    'floor.denyUnselected="true || true"': "/floor/denyUnselected",
}


@pytest.mark.requirement("values.schema.json refuses what is wrong")
@pytest.mark.parametrize("setting", BAD)
def test_wrong_values_are_refused_and_named(setting: str) -> None:
    """Helm stops before anything is sent, and says which value it is."""
    done = helm("template", "quorate", str(CHART), "--set-json", setting)
    assert done.returncode != 0
    assert BAD[setting] in done.stderr


def test_images_have_no_defaults() -> None:
    """Without them Helm says which are missing."""
    done = helm("template", "quorate", str(CHART), "--set-json", "images={}")
    assert done.returncode != 0
    assert "missing properties 'operator', 'webhook', 'member', 'sidecar'" in done.stderr


@pytest.mark.requirement("the release belongs in quorate-system")
def test_another_namespace_is_refused() -> None:
    """The floor trusts identities by the namespace's name, so it is the only one."""
    done = helm("template", "quorate", str(CHART), namespace="elsewhere")
    assert done.returncode != 0
    assert "add --namespace quorate-system" in done.stderr


@pytest.mark.requirement("kubeVersion")
def test_old_clusters_are_refused() -> None:
    """1.33 is the least; 1.32 is told so."""
    done = helm("template", "quorate", str(CHART), "--kube-version", "1.33.0")
    assert done.returncode == 0, done.stderr
    done = helm("template", "quorate", str(CHART), "--kube-version", "1.32.9")
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr
