"""The status as JSON, in one word and as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.driver import QUIET, group_status

from slb_registration.cloud.credentials import CredentialsState
from slb_registration.commands.status_table import health_text, render, table
from slb_registration.discovery.job_file_groups import FileState
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.desired import Phase
from slb_registration.model.server_group import ListenerHealth
from slb_registration.model.status import GroupStatus, Origin
from slb_registration.reporting.document import credentials_document, file_document, group_document
from slb_registration.reporting.overall import STATES, although, overall
from slb_registration.reporting.reasons import reason
from slb_registration.support.logs.timestamps import timestamp


def status(**changes: Any) -> GroupStatus:
    fields: dict[str, Any] = {
        "wanted_weight": changes.get("weight", 80),
        "health": (
            ListenerHealth(80, "tcp", "i-self", 8080, "normal"),
            ListenerHealth(81, "http", "i-self", 8080, "unavailable", checked=False),
        ),
        "backend_ports": (8080,),
        "changed_at": 100.0,
        "calls": 7,
        "repairs": {"registration": 0, "weight": 2},
    }
    spec = GroupSpec("clb", "lb-1", None, None, 80, None)
    return group_status(spec, **{**fields, **changes})


def document(*groups: GroupStatus, **changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "register": True,
        "instance_id": "i-self",
        "region": "cn-hangzhou",
        "deployment": "cf",
        "instance_group": "router",
        "held_since": None,
        "drain": None,
        "error": None,
        "complete": True,
        **QUIET,
        "groups": [group_document(group, 1_763_913_600.0, reason(group, ())) for group in groups],
        **changes,
    }
    return {**whole, "state": overall(whole)}


def test_times_are_rfc_3339_in_utc():
    assert timestamp(1_763_913_600.9) == "2025-11-23T16:00:00Z"


def test_a_groups_document_says_all_that_an_operator_needs():
    shown = group_document(status(), 1_763_913_600.0)
    expected = {
        "name": "clb/lb-1",
        "product": "clb",
        "load_balancer_id": "lb-1",
        "vserver_group_id": None,
        "active_standby_group_id": None,
        "server_group_id": None,
        "port": None,
        "because_of": "manifest",
        "wanted": True,
        "server_type": "ecs",
        "server_id": "i-self",
        "server_ip": None,
        "state": "in service",
        "in_service": True,
        "registered": True,
        "weight": 80,
        "configured_weight": 80,
        "conflict": False,
        "read_only": None,
        "health": [
            {
                "listener": "tcp:80",
                "port": 8080,
                "status": "normal",
                "reason": None,
                "told_apart": True,
            },
            {
                "listener": "http:81",
                "port": 8080,
                "status": "not checked",
                "reason": None,
                "told_apart": True,
            },
        ],
        "last_error": None,
        "last_change": "2025-11-23T16:01:40Z",
        "calls": 7,
        "drift_repaired": {"registration": 0, "weight": 2},
        "would": None,
        "would_writes": {},
    }
    assert {name: shown[name] for name in expected} == expected


def test_a_group_that_was_never_changed_has_no_last_change():
    assert group_document(status(changed_at=None), 0.0)["last_change"] is None


def test_the_document_is_json():
    assert json.loads(json.dumps(document(status()))) == document(status())


IN = status()
OUT = status(in_service=False, weight=0, state="unhealthy")
UNSEEN = status(in_service=False, state="in service", error="SystemBusy (HTTP 449)")
LOST = status(in_service=False, state="in service")  # somebody has just changed it
DROPPED = status(origin=Origin.DROPPED, in_service=False, state="draining")
DRAIN = {"stage": "waiting", "since": "2025-11-23T16:00:00Z", "connections": 4}


STILL_IN = status(phase=Phase.HOLD, state="lowering", in_service=False)
HELD = status(phase=Phase.HOLD, state="held", weight=0, in_service=False, out=True)
UNREAD = status(state="failing", weight=None, in_service=False, error="Throttling")


@pytest.mark.parametrize("word", ["held", "draining", "drained"])
@pytest.mark.parametrize(
    ("groups", "changes", "although_"),
    [
        ((HELD,), {}, None),
        ((), {}, None),
        ((HELD, STILL_IN), {}, "still in rotation in 1 of 2 server groups"),
        ((UNREAD,), {}, "not known to be out in 1 of 1 server group"),
        (
            (STILL_IN, UNREAD, HELD),
            {"complete": False},
            "still in rotation in 1 of 3 server groups, not known to be out in 1 of 3 server "
            "groups, not all server groups of this VM are known",
        ),
    ],
)
def test_a_hold_or_a_drain_that_is_not_seen_through_is_told_with_the_word(
    word: str, groups, changes, although_: str | None
):
    drain = {"drain": {**DRAIN, "stage": "done" if word == "drained" else "waiting"}}
    order = {"held_since": "2025-11-23T16:00:00Z"} if word == "held" else drain
    shown = document(*groups, **order, **changes)
    assert (shown["state"], although(shown)) == (word, although_)


def test_of_a_vm_that_serves_only_what_should_have_left_is_said():
    assert although(document(UNREAD, IN, OUT, LOST, complete=False)) is None
    lowering = status(state="lowering", in_service=False)
    shown = document(lowering, OUT)
    assert shown["state"] == "not in service"
    assert although(shown) == "still in rotation in 1 of 2 server groups"


@pytest.mark.parametrize(
    ("word", "groups", "changes"),
    [
        ("idle", (), {"register": False}),
        ("draining", (IN,), {"drain": DRAIN}),
        ("drained", (IN,), {"drain": {**DRAIN, "stage": "done"}}),
        ("drained", (), {"drain": {**DRAIN, "stage": "done"}, "held_since": "x"}),
        ("held", (OUT,), {"held_since": "2025-11-23T16:00:00Z"}),
        ("starting", (), {}),
        ("starting", (DROPPED,), {}),
        ("failing", (), {"error": "no metadata service"}),
        ("in service", (IN, IN), {}),
        ("in service", (IN, DROPPED), {}),
        ("in service", (IN,), {"error": "a later listing failed"}),
        ("in service when last seen", (IN, UNSEEN), {}),
        ("partly in service", (UNSEEN, OUT), {}),
        ("not in service", (LOST,), {}),
        ("partly in service", (IN, OUT), {}),
        ("not in service", (OUT, OUT), {}),
    ],
)
def test_one_word_for_the_whole_vm(word: str, groups, changes):
    assert document(*groups, **changes)["state"] == word
    assert word in STATES


def test_the_table_for_a_person():
    failing = status(
        name="clb/rsp-1:8080",
        state="failing",
        weight=None,
        health=(),
        changed_at=None,
        calls=12345,
        error="AddBackendServers: Forbidden.RAM",
        in_service=False,
    )
    check = {"check": "tcp 127.0.0.1:8080", "health": "healthy", "detail": "connected"}
    lines = render(document(status(), failing, local_checks=[check])).splitlines()
    assert lines[:6] == [
        "state      partly in service",
        "instance   i-self in cn-hangzhou",
        "version    1.2 (aliyun_py/f00d)",
        "port       each server group's own (default)",
        "check      tcp 127.0.0.1:8080: healthy (connected)",
        "",
    ]
    assert lines[6:] == [
        "clb/lb-1",
        "  state    in service",
        "  weight   80 of 80",
        "  health   tcp:80 normal, http:81 not checked",
        "  changed  2025-11-23T16:01:40Z",
        "  read     never",
        "  calls    7",
        "",
        "clb/rsp-1:8080",
        "  state    failing",
        "  weight   not registered",
        "  changed  never",
        "  read     never",
        "  because  AddBackendServers: Forbidden.RAM",
        "  calls    12345",
    ]


def unfolded(text: str) -> str:
    """Without the ends of lines, where they fall."""
    return " ".join(text.split())


def test_the_table_tells_of_a_drain_a_hold_and_an_error():
    text = render(
        document(drain=DRAIN, held_since="2025-11-23T15:00:00Z", error="no load balancer")
    )
    assert "drain      waiting since 2025-11-23T16:00:00Z, 4 connections\n" in text
    assert "held       since 2025-11-23T15:00:00Z; resume puts it back\n" in text
    assert "error      no load balancer\n" in text
    assert "connections" not in render(document(drain={**DRAIN, "connections": None}))


def test_the_table_tells_how_a_drained_vm_comes_back():
    text = render(document(drain={**DRAIN, "stage": "done"}))
    assert "4 connections; a new start or resume puts it back" in unfolded(text)
    assert "resume" not in render(document(drain=DRAIN))


def test_the_table_tells_of_keys_that_expire_and_of_files_that_cannot_be_used():
    state = CredentialsState(1_763_913_600.0, "AssumeRole: Throttling")
    file = FileState(Path("/var/vcap/jobs/web/config/slb_registration.json"), error="is not JSON")
    text = render(
        document(
            credentials=credentials_document("assume_role", state),
            dynamic_configs=[file_document(file, ())],
        )
    )
    keys = "of assume_role, good until 2025-11-23T16:00:00Z"
    assert f"keys {keys}; no others can be had: AssumeRole: Throttling " in unfolded(text)
    assert "/var/vcap/jobs/web/config/slb_registration.json: is not JSON\n" in text
    good = credentials_document("ecs_ram_role", CredentialsState(1_763_913_600.0))
    assert "can be had" not in render(document(credentials=good))


def test_the_table_tells_of_lines_that_the_log_lost():
    text = render(document(log_lines_dropped=3))
    assert "log        3 lines could not be written: is its disk full?\n" in text
    text = render(document(log_lines_stuck=2))
    assert "2 lines wait to be written" in text
    assert "log " not in render(document())


def test_before_anything_is_known_the_table_is_short():
    text = render(document(instance_id=None, region=None))
    assert text == (
        "state      starting\n"
        "version    1.2 (aliyun_py/f00d)\n"
        "port       each server group's own (default)\n"
    )


def test_the_table_tells_where_port_and_path_come_from():
    backend = {
        "port": 8081,
        "port_from": "link slb-backend, of a job on this VM",
        "path": "/up",
        "path_from": "property health_check.path",
        "ignored": None,
    }
    text = render(document(backend=backend))
    assert "port       8081 (link slb-backend, of a job on this VM)\n" in text
    assert "path       /up (property health_check.path)\n" in text
    assert "link" not in text.replace("link slb-backend, of", "")
    text = render(document(backend={**backend, "ignored": "the link slb-backend is not used"}))
    assert "link       the link slb-backend is not used\n" in text


def test_an_agent_of_an_earlier_version_does_not_tell_it():
    earlier = document()
    del earlier["backend"], earlier["package"]
    assert "port" not in render(earlier)
    assert "version    1.2\n" in render(earlier)


def test_health_reads_listener_by_listener():
    assert health_text([("tcp:80", "normal"), ("tcp:443", "abnormal")]) == (
        "tcp:80 normal, tcp:443 abnormal"
    )
    assert health_text([]) == "-"


def test_columns_are_as_wide_as_they_need_to_be_and_lines_end_without_blanks():
    assert table(("A", "LONG"), [("wider", "x"), ("y", "")]) == ["A      LONG", "wider  x", "y"]
    assert table(("A", "B"), []) == ["A  B"]
