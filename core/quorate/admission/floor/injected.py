"""What carries our names is what we inject, to the byte; nobody else projects our tokens."""

from quorate import names
from quorate.admission import injection
from quorate.admission.cel_literal import literal
from quorate.admission.floor.clauses import (
    NOT_A_MIRROR,
    RECREATE,
    STARTS_RESERVED,
    Document,
    listed,
    matching,
    validation,
    variable,
)
from quorate.admission.floor.comparison import (
    decks_are_decks,
    measure_is_injected,
    members_are_names,
    sidecar_is_injected,
)
from quorate.admission.floor.config import GENESIS_ANNOTATION, FloorConfig
from quorate.admission.pods import INJECTED
from quorate.verdict import Reason


def injected(config: FloorConfig) -> Document:
    """Spec of the policy that compares what was injected; its parameter is the genesis."""
    images = [config.injection.image, config.previous_image]
    measure = measure_is_injected(config.injection)
    sidecar = sidecar_is_injected(config.injection)
    return {
        "paramKind": {"apiVersion": "v1", "kind": "Secret"},
        **matching("CREATE", "pods"),
        "matchConditions": [NOT_A_MIRROR],
        "variables": _injection_variables(),
        "validations": [
            validation(
                Reason.NOT_INJECTED,
                f"!variables.reserved || variables.image in {literal(images)}",
                f"the injected containers must run this installation's sidecar image; {RECREATE}",
            ),
            validation(
                Reason.NOT_INJECTED,
                f"!variables.reserved || ({members_are_names()})",
                f"the injected containers must name members to begin with; {RECREATE}",
            ),
            validation(
                Reason.NOT_INJECTED,
                f"!variables.reserved || ({measure})",
                f"the last init container but one must be {INJECTED[0]}, as injected; {RECREATE}",
            ),
            validation(
                Reason.NOT_INJECTED,
                f"!variables.reserved || ({sidecar})",
                f"the last init container must be {INJECTED[1]}, as injected; {RECREATE}",
            ),
            *_reserved_names(config),
            _nobody_writes_the_model(),
            _audit_claim(config),
            _audience(),
        ],
    }


def _injection_variables() -> list[Document]:
    annotation = literal(GENESIS_ANNOTATION)
    return [
        listed("init", "initContainers"),
        listed("containers", "containers"),
        listed("volumes", "volumes"),
        variable(
            "genesis",
            f"has(params.metadata.annotations) && {annotation} in params.metadata.annotations\n"
            f"  ? params.metadata.annotations[{annotation}] : ''",
        ),
        variable(
            "reserved",
            f"variables.init.exists(c, c{STARTS_RESERVED})\n"
            f"  || variables.containers.exists(c, c{STARTS_RESERVED})\n"
            f"  || variables.volumes.exists(v, v{STARTS_RESERVED})",
        ),
        variable(
            "measure",
            "size(variables.init) >= 2\n"
            "  ? dyn(variables.init[size(variables.init) - 2]) : dyn({})",
        ),
        variable(
            "sidecar",
            "size(variables.init) >= 2\n"
            "  ? dyn(variables.init[size(variables.init) - 1]) : dyn({})",
        ),
        variable(
            "members",
            "has(variables.measure.args)\n"
            "  ? dyn(variables.measure.args.filter(a, "
            f"a.startsWith({literal(injection.MEMBER_OPTION)}))) : dyn([])",
        ),
        variable("decks", f"variables.volumes.filter(v, v.name == {literal(names.CANARY_VOLUME)})"),
        variable("image", "has(variables.measure.image) ? variables.measure.image : ''"),
        variable(
            "modelVolume",
            "has(variables.measure.volumeMounts) && size(variables.measure.volumeMounts) > 0\n"
            "  ? variables.measure.volumeMounts[0].name : ''",
        ),
        variable(
            "others",
            "variables.containers + variables.init.filter(c, "
            f"!(c.name in {literal(list(INJECTED))}))",
        ),
    ]


def _reserved_names(config: FloorConfig) -> list[Document]:
    """Nothing else bears our names, nothing else mounts our volumes, and those are ours."""
    volumes = injection.volumes(config.injection)
    return [
        validation(
            Reason.RESERVED_NAME,
            f"!variables.others.exists(c, c{STARTS_RESERVED})\n"
            "  && (!variables.reserved || variables.init.filter(c, "
            f"c{STARTS_RESERVED}).size() == {len(INJECTED)})",
            f"container names must not begin with {names.VOLUME_PREFIX}; {RECREATE}",
        ),
        validation(
            Reason.RESERVED_NAME,
            "variables.others.all(c, !has(c.volumeMounts)\n"
            f"  || !c.volumeMounts.exists(m, m{STARTS_RESERVED}))",
            f"no other container may mount a volume named {names.VOLUME_PREFIX}*; "
            "fix: mount a volume of another name",
        ),
        validation(
            Reason.RESERVED_NAME,
            f"!variables.reserved || variables.volumes.filter(v, v{STARTS_RESERVED}).size() "
            f"== {len(volumes)} + size(variables.decks)",
            f"volume names must not begin with {names.VOLUME_PREFIX}; {RECREATE}",
        ),
        validation(
            Reason.NOT_INJECTED,
            decks_are_decks(),
            f"volume {names.CANARY_VOLUME} must be as injected; {RECREATE}",
        ),
        *(
            validation(
                Reason.NOT_INJECTED,
                f"!variables.reserved || variables.volumes.exists(v, v == {literal(volume)})",
                f"volume {volume['name']} must be as injected; {RECREATE}",
            )
            for volume in volumes
        ),
    ]


def _nobody_writes_the_model() -> Document:
    """Once it is measured: a downloader is an init container that has ended by then."""
    ours = literal(list(INJECTED))
    return validation(
        Reason.MODEL_MOUNT_WRITABLE,
        "!variables.reserved || (variables.containers + variables.init.filter(c,\n"
        f"  !(c.name in {ours}) && has(c.restartPolicy) && c.restartPolicy == 'Always'))\n"
        "  .all(c, !has(c.volumeMounts) || c.volumeMounts.all(m,\n"
        "    m.name != variables.modelVolume || (has(m.readOnly) && m.readOnly)))",
        "what runs beside the sidecar must mount the model with readOnly: true; "
        "fix: write it in an init container of model.downloaders",
    )


def _audit_claim(config: FloorConfig) -> Document:
    """Of the claim with audit records: sidecars write, a pod without a model may read."""
    claim = "v.persistentVolumeClaim"
    return validation(
        Reason.VOLUME_NOT_ALLOWED,
        f"variables.volumes.all(v, v.name == {literal(names.AUDIT_VOLUME)} || !has({claim})\n"
        f"  || {claim}.claimName != {literal(config.injection.audit.persistent_volume_claim)}\n"
        f"  || (!variables.reserved && has({claim}.readOnly) && {claim}.readOnly))",
        "only the injected sidecar may write to the claim with audit records; fix: mount it with "
        "persistentVolumeClaim.readOnly: true, in a pod without a model",
    )


def _audience() -> Document:
    token = "s.serviceAccountToken"
    return validation(
        Reason.TOKEN_AUDIENCE,
        f"variables.volumes.all(v, v.name == {literal(names.TOKEN_VOLUME)}\n"
        "  || !has(v.projected) || !has(v.projected.sources)\n"
        f"  || v.projected.sources.all(s, !has({token}) || !has({token}.audience)\n"
        f"    || !{token}.audience.startsWith({literal(names.AUDIENCE)})))",
        f"only the injected volume may project a token for an audience {names.AUDIENCE}…; "
        "fix: ask for a token of another audience",
    )
