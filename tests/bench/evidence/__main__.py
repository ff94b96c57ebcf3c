"""``make bench ROOM=evidence``: CPU time of verifying one signed model by each method.

The model lists 100 files. The floor is the one signature alone; a list of 10,000 files shows what
the list costs. CPU time of this process, offline, certificates already issued.
"""

import json
import sys
import time
from collections.abc import Callable

from cryptography import x509

from quorate import names
from quorate.evidence import dsse
from quorate.evidence.image_signing import ImageSignature, verify_image
from quorate.evidence.model_signing import sign_model, statement_of, verify_bundle, verify_bundles
from quorate.evidence.signatures import CertificateSigner, Context, KeylessSigner, SignerSet
from quorate.manifest import Manifest, manifest
from quorate_sigstore import OfflineSigstore
from tests.bench.report import Figure, publish
from tests.fakes.authorities import Authority
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, Instance
from tests.fakes.vouching import NOW, signer

ROUNDS, REPEATS = 5, 40
SAN = x509.RFC822Name("signer@example.com")


def micros(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """CPU microseconds of one call: the best of some rounds."""
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(repeats):
            work()
        best = min(best, time.process_time() - started)
    return best / repeats * 1e6


def listed(count: int) -> Manifest:
    """The manifest of a model of so many files."""
    return manifest((f"weights/{index:06}.safetensors", f"{index:064x}") for index in range(count))


def main() -> int:
    """Measure, print, write."""
    key, instance, root = signer(), Instance(), Authority("Root")
    middle = Authority("Middle", root)
    certified, leaf = middle.signer(SAN)
    everybody = SignerSet(
        (key.public_key,),
        (CertificateSigner("c", (root.certificate,), SAN.value),),
        (KeylessSigner("ci", IDENTITY, ISSUER),),
        instance.trusted_root,
    )
    context = Context(NOW, OfflineSigstore())
    files = listed(100)
    payload = statement_of(files, "demo").encode()
    message = dsse.pae(names.INTOTO_TYPE, payload)
    signature = key.sign(message)
    by_key = sign_model(files, "demo", key)
    by_certificate = sign_model(files, "demo", certified, [leaf, middle.certificate])
    keyless = json.dumps(instance.sign(payload)).encode()
    image = f"sha256:{'a' * 64}"
    simple = json.dumps(
        {
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": image},
                "type": "cosign container image signature",
            }
        }
    ).encode()
    signed_image = [ImageSignature(payload=simple, signature=key.sign(simple))]
    bare = micros(lambda: key.public_key.verify(signature, message))

    def verified(bundle: bytes) -> Callable[[], object]:
        return lambda: verify_bundle(bundle, everybody, context)

    many = sign_model(listed(10_000), "demo", key)
    publish(
        "evidence",
        [
            Figure("OMS by key", micros(verified(by_key)), "µs", None, bare),
            Figure("OMS by certificate, one intermediate", micros(verified(by_certificate)), "µs"),
            Figure("OMS keyless, offline", micros(verified(keyless)), "µs"),
            Figure(
                "three of three, one of each",
                micros(
                    lambda: verify_bundles(
                        [by_key, by_certificate, keyless], everybody.needing(3), context
                    )
                ),
                "µs",
            ),
            Figure("OMS by key, 10,000 files", micros(verified(many), 1), "µs"),
            Figure(
                "image, simple signing by key",
                micros(lambda: verify_image(signed_image, image, everybody, context)),
                "µs",
                None,
                bare,
            ),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
