"""Reads how to find out whether the co-located service is serving."""

from __future__ import annotations

import re

from slb_registration.config.reader import ABSOLUTE_PATH, ANY_TEXT, D, Section
from slb_registration.model.configuration import HealthCheck
from slb_registration.support.net import endpoint

_HTTP_PATH = re.compile(r"/[!-~]*")
_CHECK_TYPES = ("tcp", "http", "script", "none")
# What each type of health check reads, and what an option is where it is not given: one that has
# no effect is a mistake to be told of, though the job's own defaults may stand there.
_OPTIONS: dict[str, tuple[tuple[str, ...], object]] = {
    "host": (("tcp", "http"), "127.0.0.1"),
    "port": (("tcp", "http"), None),
    "tls": (("tcp", "http"), False),
    "path": (("http",), "/"),
    "expected_status": (("http",), frozenset({200})),
    "script": (("script",), None),
}


def health_check(section: Section, link: Section) -> HealthCheck:
    """Return the check; an option that its type does not read is a problem.

    A path in the link makes it one of type http where no type is given.
    """
    linked_path = _path(link, None)
    type_ = section.choice("type", "tcp" if linked_path is None else "http", _CHECK_TYPES)
    check = HealthCheck(
        type=type_,
        host=_host(section),
        port=section.integer("port", None, 1, 65535),
        path=_path(section, (linked_path if type_ == "http" else None) or "/"),
        tls=section.flag("tls", False),
        expected_status=_expected_status(section),
        script=section.text("script", None, ABSOLUTE_PATH, "an absolute path"),
        interval_seconds=section.seconds("interval", 5),
        timeout_seconds=section.seconds("timeout", 2),
        healthy_threshold=section.integer("healthy_threshold", 2, 1, 100),
        unhealthy_threshold=section.integer("unhealthy_threshold", 3, 1, 100),
    )
    known = section.value("type") in (None, check.type)
    for option, (types, unset) in _OPTIONS.items():
        if known and check.type not in types and getattr(check, option) != unset:
            section.problem(option, f"has no effect where health_check.type is {check.type}")
    if check.type == "script" and not section.given("script"):
        section.problem("script", "is missing: health_check.type is script")
    return check


def _path(section: Section, default: D) -> str | D:
    return section.text("path", default, _HTTP_PATH, "a path that starts with / and has no spaces")


def _host(section: Section) -> str:
    text = section.text("host", "127.0.0.1", ANY_TEXT, "text")
    host = endpoint.host(text)
    if host is None:
        section.problem("host", "must be a host name or an IP address, without a port")
    return host or text


def _expected_status(section: Section) -> frozenset[int]:
    value = section.value("expected_status")
    codes = value if isinstance(value, list) else [200 if value is None else value]
    if not codes or not all(type(code) is int and 100 <= code <= 599 for code in codes):
        section.problem("expected_status", "must be a status from 100 to 599, or a list of them")
        return frozenset({200})
    return frozenset(codes)
