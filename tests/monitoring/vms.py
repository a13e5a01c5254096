"""What Prometheus has of a VM's agent, in the notation of promtool's tests, in each naming."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Series = dict[str, str]
GROUP = 'group="alb/sgp-1:8080",product="alb"'
CALLS = 'api_calls_total{action="ListServerGroupServers",result='
_FOR_EVER = "+0x200"
"""Longer than any test; promtool takes seconds to store a day of minutes."""


def constant(value: float) -> str:
    return f"{value:g}{_FOR_EVER}"


def rising(each_minute: float) -> str:
    return f"0+{each_minute:g}x200"


def agent(instance: str, changes: Mapping[str, str]) -> Series:
    """The series of a VM that is in service, with `changes` to what stands after the prefix.

    A change to nothing leaves the series out.
    """
    values = {
        'state{state="in service"}': constant(1),
        'state{state="idle"}': constant(0),
        "groups_wanted": constant(1),
        "groups_in_service": constant(1),
        "groups_known": constant(1),
        "needs_repair": constant(0),
        "observes": constant(0),
        "draining_since_timestamp_seconds": constant(0),
        "held_since_timestamp_seconds": constant(0),
        "held_until_timestamp_seconds": constant(0),
        "readiness_listening": constant(1),
        f"in_service{{{GROUP}}}": constant(1),
        f"weight{{{GROUP}}}": constant(100),
        f"conflict{{{GROUP}}}": constant(0),
        f"setting_warnings{{{GROUP}}}": constant(0),
        f'listener_normal{{{GROUP},listener="http:80"}}': constant(1),
        f'listener_normal{{{GROUP},listener="https:443"}}': constant(1),
        f'{CALLS}"ok"}}': rising(10),
        f'{CALLS}"throttled"}}': rising(0.5),
        f'{CALLS}"denied"}}': constant(0),
        'credentials_refreshable{source="ecs_ram_role"}': constant(1),
        'part_works{part="main loop"}': constant(1),
        'dynamic_config_usable{file="/var/vcap/jobs/web/config/slb_registration.json"}': constant(
            1
        ),
        'build_info{package="aliyun_py/1",version="1"}': constant(1),
        "up": constant(1),
        **changes,
    }
    labels = f'instance="{instance}",bosh_deployment="web",bosh_job_name="web"'
    return {
        _with(labels, name if name == "up" else f"slb_registration_{name}"): value
        for name, value in values.items()
        if value
    }


def _with(labels: str, name: str) -> str:
    name, _, own = name.partition("{")
    job = ',job="slb-registration"' if name == "up" else ""
    return f"{name}{{{own.rstrip('}') + ',' if own else ''}{labels}{job}}}"


def through_the_firehose(series: Series, *, retro_compat: bool) -> Series:
    """As prom_scraper and firehose_exporter hand them on, read off their sources.

    Names: metricmaker/compat.go and converters.go of firehose_exporter. Labels: the tags of
    prom_scraper's target and of the loggregator agent, and what Prometheus adds to the exporter's.
    """
    return dict(_through(series, retro_compat=retro_compat))


def _through(series: Series, *, retro_compat: bool) -> Iterator[tuple[str, str]]:
    for key, value in series.items():
        name, _, labels = key.rstrip("}").partition("{")
        if name == "up":
            continue
        counter = name.endswith(("_total", "_bucket", "_count"))
        kind = "counter_event" if counter else "value_metric"
        origin = f"{kind}_slb_registration_test_" if retro_compat else ""
        total = counter and (retro_compat or not name.endswith("_total"))
        renamed = f"firehose_{origin}{name}{'_total' if total else ''}"
        who = re.search(r'instance="([^"]+)"', labels)
        assert who is not None
        id_ = who[1]
        around = {
            **{"bosh_job_id": id_, "index": id_, "instance_id": id_},
            **{"bosh_job_ip": f"10.0.0.{len(id_)}", "ip": f"10.0.0.{len(id_)}"},
            **{"deployment": "web", "exported_job": "web", "environment": "prod"},
            **{"origin": "slb-registration-test", "source_id": "slb-registration-test"},
            **{"instance": "10.0.9.9:9186", "job": "firehose"},
            **({} if counter else {"unit": ""}),
        }
        own = labels.replace(who[0], "").replace(",,", ",").strip(",")
        all_ = ",".join([own, *(f'{label}="{text}"' for label, text in around.items())])
        yield f"{renamed}{{{all_}}}", value
