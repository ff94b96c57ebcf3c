"""An RFC 3161 timestamp authority, by the openssl command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.fakes.authorities import Authority, Usage, pem

_CONFIG = """
[tsa]
default_tsa = t
[t]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class TimestampAuthority:
    """Answers with the machine's time: openssl cannot be told another."""

    folder: Path
    root: Authority
    certificate: x509.Certificate

    @classmethod
    def create(cls, folder: Path, root: Authority) -> "TimestampAuthority":
        """An authority with a certificate of ``root``; its files are in ``folder``."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = Usage(extended=None)
        certificate = root.issue(
            key,
            common_name="Test Time",
            usage=usage,
            critical=(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]),),
            not_before=root.not_before,
            not_after=root.not_after,
        )
        (folder / "tsa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "tsa.pem").write_text(pem(certificate))
        (folder / "config").write_text(_CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        return cls(folder, root, certificate)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Its certificate first, its root last."""
        return self.certificate, self.root.certificate

    def stamp(self, signature: bytes) -> bytes:
        """The response for ``signature``, made now."""
        data, query, reply = (self.folder / name for name in ("data", "query", "reply"))
        data.write_bytes(signature)
        self._openssl("-query", "-data", str(data), "-sha256", "-cert", "-out", str(query))
        self._openssl(
            *("-reply", "-config", str(self.folder / "config"), "-queryfile", str(query)),
            *("-signer", str(self.folder / "tsa.pem"), "-inkey", str(self.folder / "tsa.key")),
            *("-out", str(reply)),
        )
        return reply.read_bytes()

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", "ts", *arguments], check=True, capture_output=True)
