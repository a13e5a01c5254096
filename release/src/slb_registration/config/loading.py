"""The agent's configuration: reads what BOSH rendered and checks it as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from slb_registration.config.credentials import credentials
from slb_registration.config.discovery import discovery, globs
from slb_registration.config.drain import drain
from slb_registration.config.health_check import health_check
from slb_registration.config.link import backend
from slb_registration.config.metrics import metrics
from slb_registration.config.reader import (
    ABSOLUTE_PATH,
    ANY_TEXT,
    D,
    Problems,
    Section,
    is_whole_text,
)
from slb_registration.config.readiness import readiness
from slb_registration.config.server_groups import groups
from slb_registration.model.configuration import Config, Endpoints, LogConfig, PostStart, Spec
from slb_registration.support.files.small_files import TooLongError, read_open
from slb_registration.support.files.trust import check
from slb_registration.support.json_objects import JsonError, NoObjectError, parse_object
from slb_registration.support.net import endpoint

SIZE_LIMIT = 1 << 20
"""Bytes; room for thousands of server groups."""

DATA_DIR = Path("/var/vcap/data/slb-registration-test")
"""What the job's template names, for a file that cannot be read."""

INSTANCE_ID = re.compile(r"i-[A-Za-z0-9][A-Za-z0-9-]{0,62}")
# A zone (cn-hangzhou-h, us-west-1a) is not a region.
REGION = re.compile(r"[a-z]{2,}(-([a-z]{2,}\d*|[a-z]?\d+))+")
# BOSH allows nearly everything; the value of an SLB tag is at most 128 characters.
_NAME = re.compile(r"[^\x00-\x1f\x7f]{0,128}")
# A UUID. It stands in the Description of our backend servers, where SLB allows nothing else.
_SPEC_ID = re.compile(r"[A-Za-z0-9._-]{1,36}")


class ConfigError(Exception):
    """The configuration cannot be used. One problem a line, each starting with its property."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def load(path: Path) -> Config:
    """Read the file that BOSH rendered.

    Raises ConfigError for a file that cannot be read or is no JSON, and for every property that
    is missing, unknown, of the wrong type, out of bounds or at odds with another: all at once, and
    without any of the keys.
    """
    document = _document(path)
    given = document.get("properties")
    keys = given if isinstance(given, dict) else {}
    problems = Problems(keys.get(name) for name in ("access_key", "secret_key", "security_token"))
    top = Section(document, problems)
    config = _config(top)
    top.refuse_unknown()
    if problems.found:
        raise ConfigError(problems.found)
    return config


def data_dir_of(path: Path) -> Path:
    """Return the data_dir of a file that cannot be used as a whole, the usual one by default."""
    try:
        text = _document(path).get("data_dir")
    except ConfigError:
        return DATA_DIR
    usable = isinstance(text, str) and ABSOLUTE_PATH.fullmatch(text) and is_whole_text(text)
    return Path(str(text)) if usable else DATA_DIR


def _document(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            check(os.fstat(file.fileno()), path)
            return parse_object(read_open(file, SIZE_LIMIT))
    except TooLongError:
        problem = f"is larger than {SIZE_LIMIT} bytes; render it again"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except NoObjectError as error:
        problem = str(error)
    except JsonError as error:
        problem = f"{error}; render it again"
    raise ConfigError([f"{path}: {problem}"])


def _config(top: Section) -> Config:
    properties = top.section("properties", path="")
    spec_section = top.section("spec")
    spec = _spec(spec_section)
    # What a co-located job says of itself in the link slb-backend; properties go before it.
    link = top.section("link", path="link slb-backend")
    linked_port = link.integer("port", None, 1, 65535)
    port = properties.integer("port", linked_port, 1, 65535)
    check, linked_check = properties.section("health_check"), link.section("health_check")
    checked = health_check(check, linked_check)
    page = metrics(properties.section("metrics"), top.section("metrics_tls"))
    named = groups(properties, port, checked)
    return Config(
        credentials=credentials(properties),
        region=_region(properties),
        instance_id=properties.text("instance_id", None, INSTANCE_ID, "an ECS instance id (i-…)"),
        groups=named,
        discovery=discovery(properties, spec_section, spec),
        endpoints=_endpoints(properties.section("endpoints")),
        register=properties.flag("register", True),
        mode=properties.choice("mode", "register", ("register", "observe")),
        health_check=checked,
        on_unhealthy=properties.choice(
            "on_unhealthy", "weight_zero", ("weight_zero", "remove", "ignore")
        ),
        panic_threshold=properties.integer("panic_threshold", 50, 0, 100),
        reconcile_interval_seconds=properties.seconds("reconcile_interval", 30),
        fleet_size=properties.integer("fleet_size", 1, 1, 1_000_000),
        drain=drain(properties.section("drain")),
        post_start=_post_start(properties.section("post_start")),
        dns_enabled=properties.section("dns").flag("enabled", False),
        log=_log(properties.section("log")),
        metrics=page,
        spec=spec,
        run_dir=_directory(top, "run_dir"),
        data_dir=_directory(top, "data_dir"),
        port=port,
        backend=backend(link, linked_check, properties, check, checked.type),
        network=properties.choice("network", "internet", ("internet", "vpc")),
        ca_bundle=_file(properties, "ca_bundle"),
        dynamic_config_globs=globs(properties),
        readiness=readiness(
            properties.section("readiness"),
            (
                ("port", port),
                ("health_check.port", checked.port),
                ("metrics.port", None if page is None else page.port),
                *(("the port of a server group", one.port) for one in named),
            ),
        ),
    )


def _region(properties: Section) -> str | None:
    described = "the id of a region, such as cn-hangzhou"
    region = properties.text("region", None, REGION, described)
    alias = properties.text("ecs_region", None, REGION, described)
    if region and alias and region != alias:
        properties.problem("ecs_region", f"differs from region, {region}: give only one of them")
    return region or alias


def _endpoints(section: Section) -> Endpoints:
    return Endpoints(
        slb=_endpoint(section, "slb", None, endpoint.slb_endpoint),
        alb=_endpoint(section, "alb", None, endpoint.slb_endpoint),
        nlb=_endpoint(section, "nlb", None, endpoint.slb_endpoint),
        sts=_endpoint(section, "sts", None, endpoint.slb_endpoint),
        ecs=_endpoint(section, "ecs", None, endpoint.slb_endpoint),
        metadata=_endpoint(
            section, "metadata", endpoint.DEFAULT_METADATA, endpoint.metadata_endpoint
        ),
    )


def _endpoint(section: Section, name: str, default: D, parse: Callable[[str], str]) -> str | D:
    text = section.text(name, None, ANY_TEXT, "text")
    if text is None:
        return default
    try:
        return parse(text)
    except endpoint.EndpointError as error:
        section.problem(name, str(error))
        return default


def _post_start(section: Section) -> PostStart:
    return PostStart(
        timeout_seconds=section.seconds("timeout", 180), required=section.flag("required", True)
    )


def _log(section: Section) -> LogConfig:
    return LogConfig(
        level=section.choice("level", "info", ("debug", "info", "warning", "error")),
        format=section.choice("format", "json", ("json", "text")),
    )


def _spec(section: Section) -> Spec:
    for name in ("index", "az"):  # rendered for people who read the file
        section.value(name)
    if not section.given("id"):
        section.problem("id", "is missing: BOSH and tools/release.py render give it")
    return Spec(
        id=section.text("id", "", _SPEC_ID, "the id that BOSH gives the instance"),
        deployment=section.text("deployment", "", _NAME, "a name"),
        instance_group=section.text("instance_group", "", _NAME, "a name"),
        director=section.flag("director", False),
        address=section.text("address", "", _NAME, "an address"),
    )


def _file(section: Section, name: str) -> Path | None:
    text = section.text(name, None, ABSOLUTE_PATH, "an absolute path")
    return None if text is None else Path(text)


def _directory(top: Section, name: str) -> Path:
    text = top.text(name, None, ABSOLUTE_PATH, "an absolute path")
    if text is None and not top.given(name):
        top.problem(name, "is missing")
    return Path(text or "/")
