"""Files that outlive the agent: whatever is in them, there is a defined result and one warning."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from io import StringIO
from pathlib import Path

from hypothesis import strategies as st
from tests.fuzz.strategies import ODD_TEXTS, as_json, broken, mutated
from tests.fuzz.target import Target

from slb_registration.cloud.credentials import Credentials, CredentialsError
from slb_registration.cloud.credentials_file import CredentialsFile
from slb_registration.config.loading import INSTANCE_ID, REGION
from slb_registration.instance.journal import Journal
from slb_registration.instance.journal_file import last_instance, last_registrations
from slb_registration.instance.markers import Marker
from slb_registration.instance.metadata import Instance
from slb_registration.instance.own_server import resolved
from slb_registration.model.configuration import GroupSpec
from slb_registration.server_groups.open import open_group
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.timestamps import timestamp

ME = Instance("i-bp1", "cn-hangzhou")
GROUPS = (
    GroupSpec("clb", "lb-1", None, None, 100, None),
    GroupSpec("clb", None, "rsp-1", 8080, 100, "x"),
    GroupSpec("clb", None, None, None, 1, None, active_standby_group_id="rsp-2"),
    GroupSpec("alb", None, None, 80, 100, None, server_group_id="sgp-1"),
    GroupSpec(
        *("nlb", None, None, 80, 100, None, None),
        *("sgp-2", "ip", "10.0.0.1", "10.0.0.1"),
    ),
    GroupSpec(
        *("nlb", None, None, 80, 100, None, None),
        *("sgp-2", "eni", "eni-1", "10.0.0.1"),
    ),
)
JOURNAL = {
    "version": 1,
    "instance_id": ME.instance_id,
    "region": ME.region,
    "registrations": {
        str(number): {"spec": asdict(spec), "served": True, "discovered": number % 2 == 0}
        for number, spec in enumerate(GROUPS)
    },
}
JOURNAL_SEEDS = (json.dumps(JOURNAL).encode(),)


class _NoMetadata:
    def get(self, path: str) -> str:
        raise AssertionError(f"asked for {path}: what is in the journal was registered as it is")


def journal_holds(data: bytes) -> None:
    """It is read as a whole or set aside, and what it holds can be opened and written again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.json"
        path.write_bytes(data)
        instance, number = last_instance(path), last_registrations(path)
        assert number is None or number >= 0
        if instance is not None:
            assert INSTANCE_ID.fullmatch(instance.instance_id), instance
            assert REGION.fullmatch(instance.region), instance
        warnings: list[str] = []
        journal = Journal(path, ME, warnings.append)
        assert len(warnings) == (not path.exists()), warnings
        assert all(len(warning) < 600 for warning in warnings)
        for entry in journal.entries.values():
            open_group(None, resolved(entry.spec, _NoMetadata()))  # type: ignore[arg-type]
        journal.remember("new", GROUPS[0], discovered=True)
        again = Journal(path, ME, warnings.append)
        assert again.entries == journal.entries
        assert {one.name for one in Path(folder).iterdir()} <= {path.name, path.name + ".set-aside"}


def marker_holds(data: bytes) -> None:
    """A marker is set whatever is in it, and since a time that can be shown."""
    with tempfile.TemporaryDirectory() as folder:
        marker = Marker(Path(folder) / "draining")
        marker.path.write_bytes(data)
        since = marker.since()
        assert since is not None
        timestamp(since)
        assert marker.clear()


KEYS = {"access_key": "LTAI5tAccessKeyOfFuzz", "secret_key": "sEcReT/Of+FuZz=sEcReT"}
KEYS_DOCUMENTS = (KEYS, {**KEYS, "security_token": "CAIS8gF1q6Ft5B2y"})
KEYS_SEEDS = tuple(json.dumps(one).encode() for one in KEYS_DOCUMENTS)


def credentials_hold(data: bytes) -> None:
    """Keys that can stand in a header, or an error that says nothing of what is in the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.json"
        path.touch(mode=0o600)
        path.write_bytes(data)
        stream = StringIO()
        source = CredentialsFile(path, EventLog(stream))
        try:
            found = source.current()
        except CredentialsError as error:
            said = str(error)
        else:
            said = stream.getvalue()
            assert isinstance(found, Credentials)
            assert all(one.isascii() and one.isprintable() for one in found.secrets)
            assert not any(one in said for one in found.secrets if len(one) >= 16)
        assert said.rstrip("\n").isprintable()
        assert len(said) < 3000
        for secret in KEYS.values():
            assert secret not in said


_ODD_FILES = st.sampled_from([text.encode(errors="surrogatepass") for text in ODD_TEXTS])

TARGETS = (
    Target(
        "journal",
        as_json(broken([JOURNAL])) | mutated(JOURNAL_SEEDS) | _ODD_FILES,
        journal_holds,
        examples=100,
        raw=True,
        seeds=JOURNAL_SEEDS,
    ),
    Target(
        "marker",
        st.binary(max_size=30) | st.floats().map(lambda x: f"{x}\n".encode()) | _ODD_FILES,
        marker_holds,
        examples=60,
        raw=True,
        seeds=(b"1700000000.000\n",),
    ),
    Target(
        "credentials_file",
        as_json(broken(KEYS_DOCUMENTS)) | mutated(KEYS_SEEDS) | _ODD_FILES,
        credentials_hold,
        examples=100,
        raw=True,
        seeds=KEYS_SEEDS,
    ),
)
