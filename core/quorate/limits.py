"""Every bound that more than one part relies on. Sizes in bytes, times in seconds.

A bound is a decision about memory and time under attack; change it here and nowhere else.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# Documents ------------------------------------------------------------------------------------
JSON_DEPTH: Final = 64
"""Nesting of any JSON document. Deeper ones exist only to exhaust a parser's stack."""
EVIDENCE_BYTES: Final = 1 * MIB
"""One DSSE envelope or OMS bundle, decoded."""
BUNDLE_FILES: Final = 100_000
"""Files one model manifest may list."""
BUNDLE_SHARDS: Final = 200_000
"""Shards one model manifest may list: 100 GB in shards of 512 KiB, and room for small files."""
BUNDLE_BYTES: Final = 64 * MIB
"""One OMS bundle: a list of BUNDLE_FILES files, encoded. What an object holds is far smaller."""
SHARD_BYTES_MIN: Final = 64 * KIB
SHARD_BYTES_MAX: Final = 64 * 1024 * MIB
SIGNATURES: Final = 16
"""Signatures in one envelope; verifying is the expensive part."""
SERVER_SIGNATURE_BYTES: Final = 64 * KIB
"""One signature of an image inside a policy; cosign's have some ten KiB."""
SERVER_SIGNERS: Final = 48
"""Server images times signers that each must have: what fits into a certificate with its rest."""
SUBJECTS: Final = 64
"""Subjects of one in-toto statement."""
STATEMENT_BYTES: Final = 4 * MIB
"""A signed state or a certificate as sent over the wire."""
CONDITION_CHARS: Final = 1024
"""A gate's condition as written."""
CONDITION_DEPTH: Final = 48
"""Nesting of a condition; operators in a row nest too."""
CONDITION_COST: Final = 100_000
"""Steps one evaluation of a condition may take: about a tenth of a second."""
FILE_NAME_BYTES: Final = 1024
"""One file name, relative to the model's directory, in UTF-8."""

# Evidence kept elsewhere ----------------------------------------------------------------------
OCI_MANIFEST_BYTES: Final = 4 * MIB
"""A manifest of a registry; what the distribution specification has clients accept."""
OCI_INDEX_BYTES: Final = 1 * MIB
"""A list of referrers or a page of it: some four thousand. Parsing takes thirty times its bytes."""
OCI_ARTIFACT_BYTES: Final = 512 * KIB
"""A manifest of attached documents: 32 descriptors, with certificates in their annotations."""
SOURCES: Final = 8
"""Places one model may name for its signatures, and as many for its evidence."""
DOCUMENTS_PER_SOURCE: Final = 32
"""Documents one source may hold. More is a failure of the source: a choice could hide one."""
FETCHED_BYTES: Final = 1 * MIB
"""All documents fetched for one model, as JSON strings."""
SOURCE_KEPT: Final = 24 * 3600
"""How long what a source last held counts while it cannot be read."""

# Risk and votes -------------------------------------------------------------------------------
RISK_TOOLS: Final = 128
"""Tools that one policy declares."""
RISK_FLOORS: Final = 64
"""Floors of one policy."""
BUDGET_MS_MIN: Final = 50
"""Less would deny everything: an ask's way there and back, and the disk, take tens of ms."""
BUDGET_MS_MAX: Final = 5_000
"""An action whose answer somebody waits for."""
HOLD_LIFE_MIN: Final = 60
HOLD_LIFE: Final = 3600
"""The longest time an action may be held for people."""

# Objects --------------------------------------------------------------------------------------
POLICIES_PER_POD: Final = 16
"""Policies that may select one pod. More is a DENY: nobody could say why a pod was refused."""
EXCEPTIONS_PER_WORKLOAD: Final = 16
"""SafetyExceptions that may count for one model; the first by name."""
POLICIES_PER_NAMESPACE: Final = 256
"""Policies of one namespace, or of the cluster, that are kept; one more denies the namespace."""
POLICY_BYTES_PER_NAMESPACE: Final = 8 * MIB
"""All SafetyPolicies of one namespace: each may reach OBJECT_BYTES."""
MODELS_PER_CLUSTER: Final = 10_000
PODS_PER_CLUSTER: Final = 50_000
CONTAINERS_PER_POD: Final = 64
"""Containers of one pod, of any kind. A model pod has a handful."""
PARTS_PER_POD: Final = 4096
"""Volumes of one pod, and mounts, arguments, variables and ports of its containers, together."""
OBJECT_BYTES: Final = 1_536 * KIB
"""etcd's own bound on one object."""

# Admission ------------------------------------------------------------------------------------
REVIEW_BYTES: Final = 8 * MIB
"""An AdmissionReview holds the object twice, and each may reach etcd's bound."""
REVIEW_DEADLINE: Final = 2.0
"""Answer DENY after this, well inside the webhook configuration's time-out."""

# Times ----------------------------------------------------------------------------------------
CERTIFICATE_LIFE: Final = 3600
"""The longest life of a certificate; a shorter one may be configured."""
STATE_LIFE: Final = 600
"""The longest life of a signed state: beyond it a sidecar denies."""
EXCEPTION_LIFE: Final = 7 * 24 * 3600
"""The longest life of a SafetyException, from when it was decided."""
RECEIPT_LIFE: Final = 900
"""The longest life of a pod's receipt; a sidecar renews it at 60 % of its life."""
RECEIPT_REQUEST_LIFE: Final = 120
"""How long a sidecar's signed request for a receipt counts: an exchange, and clocks that differ."""
CLOCK_SKEW: Final = 30
"""How far in the future a document's time may lie before it is refused."""

# Serving --------------------------------------------------------------------------------------
REQUEST_BYTES: Final = 4 * MIB
"""The largest request body a sidecar accepts unless a policy says less."""
RESPONSE_BYTES: Final = 16 * MIB
"""The largest response a sidecar releases unless a policy says less."""
