"""Reads where Prometheus may ask the agent, and with which certificates."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from slb_registration.config.own_address import own_address
from slb_registration.config.reader import ABSOLUTE_PATH, Section
from slb_registration.model.configuration import Metrics, MetricsTls

LOOPBACK = "127.0.0.1"
_FILES = ("certificate", "private_key", "ca")
_SERVER_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")


def metrics(section: Section, files: Section) -> Metrics | None:
    """Return what the properties metrics.* say, None where they say nothing.

    `files`: where the job's templates have put the certificates and the key, which stand in no
    other file.
    """
    port = section.integer("port", None, 1, 65535)
    address = own_address(section, LOOPBACK)
    tls_section = section.section("tls")
    tls = _tls(tls_section, files)
    # Only prom_scraper is told, by a template; a name that is none would be found out there.
    described = "a name that the certificate is for"
    name = tls_section.text("server_name", None, _SERVER_NAME, described)
    if name is not None and tls is None:
        tls_section.problem("server_name", "has no effect without metrics.tls.certificate")
    if port is None:
        if not section.given("port"):
            _refuse_without_port(section, tls_section, tls)
        return None
    if tls is None and not any(files.given(one) for one in _FILES) and not _is_loopback(address):
        section.problem(
            "address",
            f"{address} can be asked from other machines: give metrics.tls.certificate, "
            f"metrics.tls.private_key and metrics.tls.ca, too, or leave it at {LOOPBACK}",
        )
    return Metrics(port, address, tls)


def _refuse_without_port(section: Section, tls_section: Section, tls: MetricsTls | None) -> None:
    without = "has no effect without metrics.port"
    if section.given("address"):
        section.problem("address", without)
    if tls is not None:
        tls_section.problem("certificate", without)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _tls(section: Section, files: Section) -> MetricsTls | None:
    """Return the files; all three are needed, since who shows no certificate is told nothing."""
    paths = [files.text(name, None, ABSOLUTE_PATH, "an absolute path") for name in _FILES]
    if not any(paths):
        return None
    for name, path in zip(_FILES, paths, strict=True):
        if path is None:
            others = ", ".join(other for other in _FILES if other != name)
            section.problem(name, f"is missing: it is needed together with {others}")
    return MetricsTls(*map(Path, filter(None, paths))) if all(paths) else None
