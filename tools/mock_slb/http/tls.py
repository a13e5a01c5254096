"""HTTPS with a certificate authority of our own, to test `ca_bundle` and wrong names with.

A certificate lasts as long as the process: nothing but the authority's public part is written.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Signs certificates for any name. Trust it with `write(path)` and that path as CA bundle."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="mock_slb")

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._authority.cert_pem.bytes()

    def write(self, path: Path) -> None:
        """Write its own certificate, as a CA bundle. Raises OSError."""
        path.write_bytes(self.pem)

    def server(self, *names: str) -> ssl.SSLContext:
        """Make what a server needs that goes by these host names or addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context

    def key_and_certificate(self, *names: str) -> str:
        """The same as PEM, for a server that is another program. It holds a key: keep it secret."""
        return self._authority.issue_cert(*names).private_key_and_cert_chain_pem.bytes().decode()
