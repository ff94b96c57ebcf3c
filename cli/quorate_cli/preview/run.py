"""Reading a cluster for a preview: which namespaces, which pods, under which policies."""

from datetime import datetime

from quorate.errors import InvalidInput
from quorate.policy.compiled import CompiledPolicy
from quorate_cli.cluster import kinds
from quorate_cli.cluster.kinds import Document
from quorate_cli.cluster.reader import NotPermitted, Reader
from quorate_cli.explain.subject import Named
from quorate_cli.policies import compile_all
from quorate_cli.preview.judging import Judge, Subject
from quorate_cli.preview.outcome import Preview
from quorate_cli.preview.scene import read_scene
from quorate_cli.preview.subject import namespace_rows
from quorate_cli.progress import Progress


def preview_draft(
    reader: Reader,
    draft: Document,
    namespace: str | None,
    mode: str | None,
    now: datetime,
    progress: Progress,
) -> Preview:
    """What a policy that is not applied would refuse; ``namespace`` narrows a cluster-wide one."""
    metadata = draft["metadata"]
    own = str(metadata.get("namespace") or "")
    kind = kinds.SAFETY_POLICY if own else kinds.CLUSTER_SAFETY_POLICY
    if own and namespace and namespace != own:
        raise InvalidInput(f"the policy is for namespace {own}", fix=f"use -n {own}")
    policy = compile_all([draft])[0][0]
    replaced = _compiled(reader.get(kind, str(metadata["name"]), own))
    same = replaced is not None and replaced.digest == policy.digest
    subject = Subject(str(policy.ref), policy, replaced, applied=same)
    return _judged(reader, subject, _places(own or namespace), mode, now, progress, (draft,))


def preview_applied(
    reader: Reader,
    named: Named,
    namespace: str | None,
    mode: str | None,
    now: datetime,
    progress: Progress,
) -> Preview:
    """What a policy that is in force refuses today. Raises InvalidInput if there is none."""
    document = reader.get(named.kind, named.name, named.namespace)
    if document is None:
        raise InvalidInput(f"there is no {named}", fix=f"kubectl get {named.kind.plural} -A")
    compiled, broken = compile_all([document])
    if broken:
        raise InvalidInput(
            f"{broken[0].ref} does not compile, so every pod it might be for is denied: "
            f"{broken[0].message}",
            fix="correct or delete the policy",
        )
    subject = Subject(str(compiled[0].ref), compiled[0], applied=True)
    places = _places(named.namespace or namespace)
    return _judged(reader, subject, places, mode, now, progress)


def preview_namespaces(
    reader: Reader,
    chosen: tuple[str, ...] | None,
    mode: str | None,
    now: datetime,
    progress: Progress,
) -> Preview:
    """What namespaces refuse, or would in another mode, under the policies in force."""
    text = f"namespace/{chosen[0]}" if chosen and len(chosen) == 1 else "namespaces"
    return _judged(reader, Subject(text), chosen, mode, now, progress)


def _judged(
    reader: Reader,
    subject: Subject,
    places: tuple[str, ...] | None,
    mode: str | None,
    now: datetime,
    progress: Progress,
    drafts: tuple[Document, ...] = (),
) -> Preview:
    rows = namespace_rows(reader, places, mode)
    scene = read_scene(reader, now, [row.name for row in rows], drafts)
    judge, count = Judge(scene, subject, rows, now), 0
    for row in rows:
        try:
            for pod in reader.each(kinds.POD, row.name):
                judge.add(pod)
                count += 1
                progress.read(count, "pods")
        except NotPermitted as error:
            scene.gap(error)
            row.judged = False
    return judge.outcome()


def _places(namespace: str | None) -> tuple[str, ...] | None:
    return (namespace,) if namespace else None


def _compiled(document: Document | None) -> CompiledPolicy | None:
    found = compile_all([document])[0] if document else []
    return found[0] if found else None
