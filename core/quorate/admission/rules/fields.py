"""Only fields that this release knows the meaning of: a new one may reach further than its name.

From the API of Kubernetes 1.36. Fields that other rules refuse are known too.
"""

import re
from collections.abc import Iterator
from typing import Any

from quorate.admission.rules.allowed import Allowed
from quorate.admission.rules.subject import Subject
from quorate.verdict import Denial, Reason


def _listed(names: str) -> frozenset[str]:
    return frozenset(names.split())


SPEC = _listed(
    "activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy "
    "enableServiceLinks ephemeralContainers hostAliases hostIPC hostNetwork hostPID hostUsers "
    "hostname hostnameOverride imagePullSecrets initContainers nodeName nodeSelector os overhead "
    "preemptionPolicy priority priorityClassName readinessGates resourceClaims resources "
    "restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup securityContext "
    "serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain "
    "terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes "
    "workloadRef"
)
CONTAINER = _listed(
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports "
    "readinessProbe resizePolicy resources restartPolicy restartPolicyRules securityContext "
    "startupProbe stdin stdinOnce targetContainerName terminationMessagePath "
    "terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
)
MOUNT = _listed("mountPath mountPropagation name readOnly recursiveReadOnly subPath subPathExpr")
LIFECYCLE = _listed("postStart preStop stopSignal")
HANDLER = _listed("exec grpc httpGet sleep tcpSocket")
TIMING = _listed(
    "failureThreshold initialDelaySeconds periodSeconds successThreshold "
    "terminationGracePeriodSeconds timeoutSeconds"
)
TERMINATION_LOG = "/dev/termination-log"
_LOCAL_NAME = re.compile(r"(?:.+\.)?localhost\.?", re.IGNORECASE)


def fields(subject: Subject, allowed: Allowed) -> Iterator[Denial]:
    """Nothing unknown, no file of the kubelet's over one of the model's, no name that lies."""
    yield from _unknown("spec", subject.spec, SPEC)
    yield from _names(subject.spec)
    for path, container in subject.users:
        yield from _container(path, container)


def _container(path: str, container: dict[str, Any]) -> Iterator[Denial]:
    yield from _unknown(path, container, CONTAINER)
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        yield from _unknown(f"{path}.volumeMounts[{index}]", mount, MOUNT)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from _unknown(f"{path}.{probe}", container.get(probe) or {}, HANDLER | TIMING)
    lifecycle = container.get("lifecycle") or {}
    yield from _unknown(f"{path}.lifecycle", lifecycle, LIFECYCLE)
    for hook in ("postStart", "preStop"):
        yield from _unknown(f"{path}.lifecycle.{hook}", lifecycle.get(hook) or {}, HANDLER)
    if container.get("terminationMessagePath") not in (None, "", TERMINATION_LOG):
        # The kubelet mounts an empty, writable file there: over one that was measured, too.
        yield Denial(
            Reason.MODEL_MOUNT_WRITABLE,
            f"{path}.terminationMessagePath must be {TERMINATION_LOG}: a file is mounted there",
            requirement="model.source",
            fix="leave it out",
        )


def _names(spec: dict[str, Any]) -> Iterator[Denial]:
    """Programs speak to themselves by the name ``localhost``: it must stay what it is."""
    named = [(f"spec.{field}", spec.get(field)) for field in ("hostname", "hostnameOverride")]
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        named += [(f"spec.hostAliases[{index}]", name) for name in alias.get("hostnames") or ()]
    for path, name in named:
        if _LOCAL_NAME.fullmatch(str(name or "")):
            yield Denial(
                Reason.HOST_ACCESS,
                f"{path} must not give {str(name)[:80]} another address",
                fix="use another name",
            )


def _unknown(path: str, value: dict[str, Any], known: frozenset[str]) -> Iterator[Denial]:
    for name in sorted(set(value) - known):
        yield Denial(
            Reason.MALFORMED,
            f"{path}.{name[:80]} is a field that this release does not know",
            fix="remove it, or upgrade to a release that knows it",
        )
