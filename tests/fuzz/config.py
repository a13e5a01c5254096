"""config.load: any file becomes a Config or a ConfigError that names properties and no key."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tests.fuzz.strategies import as_json, broken, mutated
from tests.fuzz.target import Target

from slb_registration.config.loading import ConfigError, load
from slb_registration.model.configuration import Config

KEYS = {"access_key": "LTAI5tAccessKeyOfFuzz", "secret_key": "sEcReT/Of+FuZz=sEcReT"}
SPEC = {
    **{"id": "9f2c1d3e", "index": 0, "az": "z1", "deployment": "cf", "instance_group": "srt"},
    **{"director": True, "address": "q-s0.srt.default.cf.bosh"},
}
FOLDERS = {"run_dir": "/var/vcap/sys/run/x", "data_dir": "/var/vcap/data/x"}
METRICS_TLS = {"certificate": "/c/crt.pem", "private_key": "/c/key.pem", "ca": "/c/ca.pem"}
PROPERTIES: tuple[dict[str, Any], ...] = (
    {},
    {
        "region": "cn-hangzhou",
        "instance_id": "i-bp1",
        "load_balancer_id": "lb-bp1",
        "server_groups": [
            {"product": "clb", "vserver_group_id": "rsp-1", "port": 80, "description": "x"},
            {"product": "alb", "server_group_id": "sgp-1", "port": 8080, "weight": 5},
            {"product": "nlb", "server_group_id": "sgp-2", "port": 1, "server_type": "ip"},
            {"load_balancer_id": "lb-bp2", "server_type": "eni", "server_ip": "10.0.0.1"},
        ],
        "endpoints": {"slb": "https://slb.example.com", "metadata": "http://127.0.0.1:1"},
        "health_check": {"type": "http", "path": "/h", "expected_status": [200, 204], "tls": True},
        "ca_bundle": "/etc/ssl/ca.pem",
    },
    {
        "discovery": {"enabled": True, "tags": {"a": "b"}, "products": ["clb"], "interval": 9},
        "drain": {"timeout": 10, "ignore_cidrs": ["10.0.0.0/8", "::1"], "method": "remove"},
        "health_check": {"type": "script", "script": "/bin/true", "interval": 0.5},
        "post_start": {"timeout": 3, "required": False},
        "log": {"level": "debug", "format": "text"},
        "metrics": {"port": 9100, "address": "10.0.0.5", "tls": {"server_name": "slb"}},
        "readiness": {"port": 8079, "address": "::"},
        "security_token": "aSecurityTokenOfTheFuzzTest",
    },
    {"credential_source": "assume_role", "role_arn": "acs:ram::1:role/x", "duration": 900},
    {"credentials_file": "/var/vcap/data/keys.json"},
)
DOCUMENTS = tuple(
    {
        "properties": {**(KEYS if "credential" not in str([*one]) else {}), **one},
        "spec": SPEC,
        "link": {"port": 8080, "health_check": {"path": "/health"}},
        "metrics_tls": METRICS_TLS if "metrics" in one else {},
        **FOLDERS,
    }
    for one in PROPERTIES
)
SEEDS = tuple(json.dumps(document).encode() for document in DOCUMENTS)
PROBLEM = re.compile(r"[^\n]{1,400}: [^\n]{1,1000}")


def holds(data: bytes) -> None:
    """See the module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.json"
        path.write_bytes(data)
        try:
            config = load(path)
        except ConfigError as error:
            _check_problems(error, path, data)
        else:
            _check(config)


def _check_problems(error: ConfigError, path: Path, data: bytes) -> None:
    assert error.problems
    text = str(error)
    for secret in _secrets(data):
        assert secret not in text, text
    assert len(text) < 100_000, f"{len(text)} characters"
    for problem in error.problems:
        assert PROBLEM.fullmatch(problem), repr(problem)
        assert all(c.isprintable() for c in problem.replace(str(path), "")), repr(problem)


def _secrets(data: bytes) -> list[str]:
    """Keys that stand where keys stand; what stands elsewhere may have to be shown."""
    try:
        properties = json.loads(data)["properties"]
        if isinstance(properties, str):
            return [value for value in KEYS.values() if value == properties]
        return [value for name, value in KEYS.items() if properties[name] == value]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []


def _check(config: Config) -> None:
    """What is passed on can be used: the system takes the paths, and the API the texts."""
    paths = (config.run_dir, config.data_dir, config.ca_bundle, config.health_check.script)
    for path in (*paths, config.credentials.credentials_file):
        assert b"\0" not in os.fsencode(path or "")
    for group in config.groups:
        for text in (group.server_group_id, group.description, group.server_ip, group.product):
            (text or "").encode()
    said = (config.spec.deployment, config.spec.address, config.health_check.host)
    for text in (*said, *config.discovery.tags, *config.discovery.tags.values()):
        text.encode()
    if config.metrics is not None and config.metrics.tls is None:
        assert ipaddress.ip_address(config.metrics.address).is_loopback
    if config.keys is not None and config.keys.secret_key in KEYS.values():
        # The rest of the configuration may have it as a name of something, and then shows it.
        assert config.keys.secret_key not in repr(config.keys)


TARGETS = (
    Target(
        "config",
        as_json(broken(DOCUMENTS)) | mutated(SEEDS) | st.binary(max_size=40),
        holds,
        examples=250,
        raw=True,
        seeds=SEEDS,
    ),
)
