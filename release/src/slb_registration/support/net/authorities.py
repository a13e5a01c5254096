"""The authorities whose certificates are trusted: the public authorities, or those of a private
cloud alone."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from slb_registration.support.files.trust import open_trusted


class AuthoritiesError(Exception):
    """The property ca_bundle names no file that can be used. str() says why."""


def trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    """A context that verifies names and certificates. Raises AuthoritiesError.

    `ca_bundle`: a PEM file with the only authorities that are trusted; None: the system's.
    """
    try:
        if ca_bundle is not None:
            os.close(open_trusted(ca_bundle))  # a pipe would be waited for
        return ssl.create_default_context(cafile=ca_bundle)
    except ssl.SSLError:
        reason = "holds no certificates (PEM)"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise AuthoritiesError(f"ca_bundle: {ca_bundle}: {reason}")
