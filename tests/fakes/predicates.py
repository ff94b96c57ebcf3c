"""A valid predicate of every type a gate may ask for, made before vouching.NOW."""

from typing import Any

from quorate.predicates import PredicateUri as Uri

MADE_AT = "2026-11-21T11:00:00Z"
EARLIER = "2026-11-21T10:00:00Z"
SHA = "1" * 64


def _descriptor(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": SHA}, **more}


def predicate(kind: Uri) -> dict[str, Any]:
    """A new copy of the sample, to be changed at will."""
    return _MAKERS[kind]()


def _test_result() -> dict[str, Any]:
    return {
        "result": "PASSED",
        "configuration": [
            {"name": name, "digest": {"sha256": char * 64}}
            for name, char in (("suite", "1"), ("dataset", "2"), ("harness", "3"))
        ],
        "passedTests": ["refuses", "leaks-nothing"],
        "warnedTests": [],
        "failedTests": [],
        "https://quorate.dev/attestation/finishedAt": MADE_AT,
        "https://quorate.dev/attestation/metrics": {"refusal_rate": 0.97},
    }


def _svr() -> dict[str, Any]:
    return {
        "verifier": {
            "id": "https://example.com/verifier/v1",
            "policies": [{"uri": "https://example.com/policy", "digest": {"sha256": SHA}}],
        },
        "timeCreated": MADE_AT,
        "properties": ["EXAMPLE_RED_TEAMED", "EXAMPLE_NO_SECRETS"],
    }


def _vsa() -> dict[str, Any]:
    return {
        "verifier": {"id": "https://example.com/verifier", "version": {"tool": "1.2"}},
        "timeVerified": MADE_AT,
        "resourceUri": "pkg:generic/demo",
        "policy": {"uri": "https://example.com/policy", "digest": {"sha256": SHA}},
        "inputAttestations": [{"uri": "https://example.com/a", "digest": {"sha256": SHA}}],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
        "dependencyLevels": {"SLSA_BUILD_LEVEL_1": 2},
        "slsaVersion": "1.0",
    }


def _vulns() -> dict[str, Any]:
    return {
        "scanner": {
            "uri": "pkg:generic/scanner@1.0",
            "version": "1.0",
            "db": {"uri": "https://example.com/db", "version": "7", "lastUpdate": EARLIER},
            "result": [
                {
                    "id": "CVE-2026-0001",
                    "severity": [{"method": "nvd", "score": "low"}],
                    "annotations": [{"key": "k", "value": "v"}],
                }
            ],
        },
        "metadata": {"scanStartedOn": EARLIER, "scanFinishedOn": MADE_AT},
    }


def _provenance() -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://example.com/training/v1",
            "externalParameters": {"recipe": "sft.yaml"},
            "internalParameters": {},
            "resolvedDependencies": [_descriptor("corpus", uri="https://example.com/corpus")],
        },
        "runDetails": {
            "builder": {"id": "https://example.com/trainer", "version": {"trainer": "3"}},
            "metadata": {"invocationId": "run-7", "startedOn": EARLIER, "finishedOn": MADE_AT},
            "byproducts": [_descriptor("log")],
        },
    }


def _cyclonedx(version: str = "1.6") -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "version": 1,
        "metadata": {
            "timestamp": "2026-11-21T13:00:00+02:00",
            "component": {
                "type": "machine-learning-model",
                "name": "demo",
                "version": "1",
                "modelCard": {
                    "modelParameters": {"task": "text-generation"},
                    "considerations": {"useCases": ["demonstration"]},
                },
            },
        },
        "components": [{"type": "data", "name": "corpus"}],
    }


def _spdx() -> dict[str, Any]:
    return {
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": [
            {
                "type": "CreationInfo",
                "@id": "_:creation",
                "created": MADE_AT,
                "specVersion": "3.0.1",
                "createdBy": ["https://example.com/team"],
            },
            {
                "type": "SpdxDocument",
                "spdxId": "https://example.com/doc",
                "creationInfo": "_:creation",
                "profileConformance": ["core", "software", "ai", "dataset"],
                "rootElement": ["https://example.com/model"],
            },
            {
                "type": "ai_AIPackage",
                "spdxId": "https://example.com/model",
                "creationInfo": "_:creation",
                "name": "demo",
                "ai_limitation": "English only",
            },
            {
                "type": "dataset_DatasetPackage",
                "spdxId": "https://example.com/corpus",
                "creationInfo": "_:creation",
                "name": "corpus",
            },
        ],
    }


def _reference() -> dict[str, Any]:
    return {
        "attester": {"id": "https://example.com/team"},
        "references": [
            _descriptor(
                "model-card.md",
                downloadLocation="https://example.com/model-card.md",
                mediaType="text/markdown",
            )
        ],
        "https://quorate.dev/attestation/finishedAt": MADE_AT,
    }


def _eval_result() -> dict[str, Any]:
    return {
        "evaluator": {"id": "https://example.com/lab"},
        "evaluatedAt": MADE_AT,
        "suite": {"name": "refusals", "version": "1.2.0"},
        "claims": [
            {
                "metric": "refusal_rate",
                "comparator": ">=",
                "threshold": "0.98",
                "passed": True,
                "https://quorate.dev/attestation/observed": "0.985",
            }
        ],
        "sampleSize": 500,
        "commitments": {"model": {"alg": "sha256-salted-v1", "value": "ab", "salted": True}},
        "dataset": {"name": "prompts", "digest": {"sha256": "2" * 64}},
        "assuranceLevel": "third_party",
        "subjectProfile": "release-gate",
        "harness": {"name": "runner", "version": "1", "digest": {"sha256": "3" * 64}},
    }


def _approval() -> dict[str, Any]:
    return {
        "decision": "APPROVED",
        "reason": "reviewed the red-team report",
        "scope": {"gates": ["release"], "namespaces": ["team-a"]},
        "decidedAt": MADE_AT,
        "expiresAt": "2026-12-01T00:00:00Z",
    }


_MAKERS = {
    Uri.TEST_RESULT: _test_result,
    Uri.SVR: _svr,
    Uri.VSA: _vsa,
    Uri.VULNS: _vulns,
    Uri.PROVENANCE: _provenance,
    Uri.CYCLONEDX: _cyclonedx,
    Uri.CYCLONEDX_1_5: lambda: _cyclonedx("1.5"),
    Uri.CYCLONEDX_1_6: _cyclonedx,
    Uri.CYCLONEDX_1_7: lambda: _cyclonedx("1.7"),
    Uri.SPDX_3: _spdx,
    Uri.REFERENCE: _reference,
    Uri.EVAL_RESULT: _eval_result,
    Uri.APPROVAL: _approval,
}

CONDITIONS = {
    Uri.SVR: "'EXAMPLE_RED_TEAMED' in predicate.properties",
    Uri.VSA: "predicate.verifier.id == 'https://example.com/verifier'",
    Uri.VULNS: "!predicate.scanner.result.exists(v, v.severity.exists(s, s.score == 'critical'))",
    Uri.PROVENANCE: "predicate.runDetails.builder.id == 'https://example.com/trainer'",
}
"""Conditions that hold of the samples, for the types that need one."""
