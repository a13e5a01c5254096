"""Certificates of an authority of a test's own, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

SERVER_NAME = "slb-registration-metrics"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: Path
    private_key: Path


class Authority:
    """Signs certificates, and keeps all in one folder with the modes that BOSH gives files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._own = self._make(name, "-addext", "keyUsage=critical,keyCertSign")
        self.certificate = self._own.certificate

    def sign(self, name: str, usage: str) -> Identity:
        """A certificate for `usage`, an extended key usage: serverAuth or clientAuth."""
        return self._make(
            name,
            *("-CA", str(self._own.certificate), "-CAkey", str(self._own.private_key)),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-addext", f"extendedKeyUsage={usage}", "-addext", f"subjectAltName=DNS:{name}"),
        )

    def _make(self, name: str, *options: str) -> Identity:
        made = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        line = ("openssl", "req", "-x509", *_EC, "-subj", f"/CN={name}", *options)
        out = ("-out", str(made.certificate), "-keyout", str(made.private_key))
        subprocess.run([*line, *out], check=True, capture_output=True, timeout=60)
        for file in (made.certificate, made.private_key):
            file.chmod(0o640)
        return made
