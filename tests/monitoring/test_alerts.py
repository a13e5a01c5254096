"""The alerts, evaluated by promtool: what fires and when, scraped directly and by the firehose."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from tests import thorough
from tests.monitoring.vms import (
    CALLS,
    GROUP,
    Series,
    agent,
    constant,
    rising,
    through_the_firehose,
)

from demo.workshop import ROOT

MONITORING = ROOT / "release/monitoring"
ALERTS = MONITORING / "slb-registration.alerts.yml"
FIREHOSE = MONITORING / "slb-registration-firehose.rules.yml"
PROMTOOL = shutil.which("promtool")
NAMINGS = {"directly": None, "firehose": True, "firehose without retro_compat": False}

needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool (Debian: prometheus) is not installed"
)

# Of one VM of two: what changes, and which alert fires by which minute and not before.
OUT = {"groups_in_service": constant(0), f"in_service{{{GROUP}}}": constant(0)}
CASES: dict[str, tuple[Mapping[str, str], dict[int, str]]] = {
    "all is well": ({}, {5: "", 60: ""}),
    "a restart in a deploy": (
        {
            "up": "1x20 0x4 1x100",
            "groups_in_service": "1x20 _x4 0x4 1x100",
            "groups_known": "1x20 _x4 0x1 1x100",
            f"in_service{{{GROUP}}}": "1x20 _x4 0x4 1x100",
            f'listener_normal{{{GROUP},listener="http:80"}}': "1x20 _x4 0x4 1x100",
            "draining_since_timestamp_seconds": "0x17 1020x3 _x4 0x100",
        },
        dict.fromkeys((18, 22, 26, 30, 45, 60), ""),
    ),
    "out": (OUT, {14: "", 16: "NotInService"}),
    "out and held": ({**OUT, "held_since_timestamp_seconds": constant(60)}, {60: ""}),
    "out and draining": ({**OUT, "draining_since_timestamp_seconds": constant(60)}, {50: ""}),
    "out and observing": ({**OUT, "observes": constant(1)}, {60: ""}),
    "nothing carries the tags": (
        {"groups_wanted": constant(0), "groups_in_service": constant(0)},
        {29: "", 31: "NothingToJoin"},
    ),
    "idle": (
        {
            "groups_wanted": constant(0),
            "groups_in_service": constant(0),
            'state{state="idle"}': constant(1),
            'state{state="in service"}': constant(0),
        },
        {60: ""},
    ),
    "needs repair": ({"needs_repair": constant(1)}, {4: "", 6: "NeedsRepair"}),
    "drains for long": (
        {"draining_since_timestamp_seconds": constant(60)},
        {70: "", 72: "DrainsForLong"},
    ),
    "a conflict that comes and goes": (
        {f"conflict{{{GROUP}}}": "0 1x10 0x3 1x10 0x3 1x10 0x100"},
        {5: "", 7: "Conflict", 13: "Conflict", 27: "Conflict", 60: ""},
    ),
    "keys are not refreshed": (
        {'credentials_refreshable{source="ecs_ram_role"}': constant(0)},
        {9: "", 11: "KeysNotRefreshed"},
    ),
    "keys expire": (
        {"credentials_good_until_timestamp_seconds": constant(3600)},
        {58: "", 61: "KeysExpire", 90: "KeysExpire"},
    ),
    "keys that are replaced": (
        {"credentials_good_until_timestamp_seconds": "900x11 1800x15 2700x15 3600x15"},
        dict.fromkeys((11, 26, 40), ""),
    ),
    "denied": ({f'{CALLS}"denied"}}': rising(0.2)}, {9: "", 30: "CallsDenied"}),
    "abnormal at SLB": (
        {f'listener_normal{{{GROUP},listener="https:443"}}': constant(0)},
        {9: "", 11: "AbnormalAtSlb"},
    ),
    "abnormal at weight 0": (
        {
            f'listener_normal{{{GROUP},listener="https:443"}}': constant(0),
            f"weight{{{GROUP}}}": constant(0),
        },
        {60: ""},
    ),
    "throttled": ({f'{CALLS}"throttled"}}': rising(6)}, {25: "", 40: "Throttled"}),
    "the API fails": (
        {f'{CALLS}"unavailable"}}': rising(60)},
        {8: "", 20: "ApiFails"},
    ),
    "releases differ": (
        {'build_info{package="aliyun_py/2",version="2"}': constant(1)},
        {179: "", 182: "ReleasesDiffer"},
    ),
    "a part hangs": ({'part_works{part="main loop"}': constant(0)}, {4: "", 6: "PartStuck"}),
    "readiness": ({"readiness_listening": constant(0)}, {4: "", 6: "ReadinessNotAnswered"}),
    "a file": (
        {'dynamic_config_usable{file="/var/vcap/jobs/web/config/slb_registration.json"}': "0x100"},
        {14: "", 16: "FileUnusable"},
    ),
    "settings": ({f"setting_warnings{{{GROUP}}}": constant(2)}, {59: "", 61: "SettingsHurt"}),
}
DAYS: dict[str, tuple[Mapping[str, str], dict[int, str]]] = {
    "held and forgotten": (
        {"held_since_timestamp_seconds": constant(600)},
        {24 * 60: "", 25 * 60: "HeldForLong"},
    ),
    "held until an end that is told": (
        {
            "held_since_timestamp_seconds": constant(600),
            "held_until_timestamp_seconds": constant(2 * 86400),
        },
        {25 * 60: ""},
    ),
}


def with_another(changes: Mapping[str, str]) -> Series:
    """Of two VMs, one of which is as ever."""
    return {**agent("a", changes), **agent("other", {})}


def gone_after(minutes: int) -> Series:
    """Of two VMs, one of which ends then. Without a scrape that fails, the last value counts for
    five minutes more."""
    ends = {
        name: f"1x{minutes} 0x100"
        if name.startswith("up{")
        else value.replace("x200", f"x{minutes}")
        for name, value in agent("a", {}).items()
    }
    return {**ends, **agent("other", {})}


def every_case() -> dict[str, tuple[Series, dict[int, str]]]:
    of_fleets = {
        "most of a fleet is out": (
            {**agent("a", OUT), **agent("b", OUT), **agent("other", {})},
            {4: "", 6: "UnhealthyFleet", 20: "NotInService UnhealthyFleet"},
        ),
        "the agent is gone": (gone_after(20), {30: "", 45: "AgentGone"}),
    }
    return {name: (with_another(changes), fires) for name, (changes, fires) in CASES.items()} | (
        of_fleets
    )


def a_test(
    name: str, series: Series, fires: Mapping[int, str], *, naming: str, every: str
) -> dict[str, object]:
    """As promtool reads it."""
    retro_compat = NAMINGS[naming]
    if retro_compat is not None:
        series = through_the_firehose(series, retro_compat=retro_compat)
    expected = [
        {
            "eval_time": f"{minute}m",
            "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
            "exp_samples": [
                {"labels": f'{{alertname="SlbRegistration{alert}"}}', "value": 1}
                for alert in alerts.split()
            ],
        }
        for minute, alerts in fires.items()
    ]
    return {
        "name": name,
        "interval": every,
        "input_series": [{"series": key, "values": value} for key, value in series.items()],
        "promql_expr_test": expected,
    }


def promtool(
    folder: Path, cases: Mapping[str, tuple[Series, dict[int, str]]], naming: str, every: str
) -> str:
    """What it says against these cases; the rules are evaluated, and values come, so often."""
    file = folder / "tests.yml"
    rules = [ALERTS] if naming == "directly" else [FIREHOSE, ALERTS]
    document = {
        "rule_files": [str(rule) for rule in rules],
        "group_eval_order": ["slb-registration-firehose", "slb-registration"][-len(rules) :],
        "evaluation_interval": every,
        "tests": [
            a_test(name, series, fires, naming=naming, every=every)
            for name, (series, fires) in cases.items()
        ],
    }
    file.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("naming", thorough.but(["directly"], NAMINGS))
def test_what_fires_and_when(tmp_path: Path, naming: str) -> None:
    assert promtool(tmp_path, every_case(), naming, "1m") == ""


@needs_promtool
@pytest.mark.parametrize("naming", thorough.but(["directly", "firehose"], NAMINGS))
def test_what_fires_after_days(tmp_path: Path, naming: str) -> None:
    cases = {name: (with_another(changes), fires) for name, (changes, fires) in DAYS.items()}

    assert promtool(tmp_path, cases, naming, "10m") == ""


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    line = [str(PROMTOOL), "check", "rules", "--lint-fatal", str(ALERTS), str(FIREHOSE)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_waits_and_tells_what_to_look_at_and_is_tested() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]

    for rule in group["rules"]:
        assert rule["for"]
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
    told = {alert for _, fires in [*CASES.values(), *DAYS.values()] for alert in fires.values()}
    tested = {f"SlbRegistration{name}" for name in told} | {
        "SlbRegistrationUnhealthyFleet",
        "SlbRegistrationAgentGone",
    }
    assert set(names) == tested - {"SlbRegistration"}


def test_every_alert_is_explained_in_the_documents() -> None:
    names = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    text = (ROOT / "docs/monitoring.md").read_text()

    assert [name for name in names if f"`{name}`" not in text] == []
