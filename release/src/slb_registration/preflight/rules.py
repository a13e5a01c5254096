"""The rules: each looks at one kind of setting. What is not told is not warned about.

A detection time is interval by unhealthy threshold: it holds for a port that refuses; where nothing
answers, SLB waits for its timeout each time besides.
"""

from __future__ import annotations

from collections.abc import Iterator

from slb_registration.model.balancer_settings import CheckSettings, Place, Settings
from slb_registration.preflight import SettingWarning
from slb_registration.preflight.ours import Ours

RESTART_SECONDS = 15
"""After a crash of the agent nobody answers on readiness.port: monit looks every 10 s, and the
next agent takes a few seconds."""

SLOW_SECONDS = 30
TIMES_SLOWER = 2
"""SLB's detection is slow where it takes longer than this, and than so many times the local one's
time (15 s by default). The defaults of no product are: CLB and ALB take 6 s, CLB's UDP 15 s, NLB
20 s."""

_Found = tuple[str, str, str]
"""Code, text, advice."""


def warnings(group: str, settings: Settings, ours: Ours) -> tuple[SettingWarning, ...]:
    """All that would hurt in one server group, each once. `group` is its name."""
    found = [("", one) for one in (*_of_group(settings, ours), *_of_zones(settings, ours))]
    for place in settings.places:
        found += [(place.listener, one) for one in _of_place(place, ours)]
    unique = dict.fromkeys((*found, *_stopped(settings)))
    return tuple(
        SettingWarning(code, group, listener, text, advice)
        for listener, (code, text, advice) in unique
    )


def _of_group(settings: Settings, ours: Ours) -> Iterator[_Found]:
    if settings.unread:
        yield (
            "settings_unread",
            f"what is set on its listeners cannot be read: {settings.unread}",
            "allow it, or look at them yourself",
        )
    if settings.listeners == ():
        yield (
            "no_listener",
            "no listener leads to this server group: it gets no requests",
            "add a listener, or a forwarding rule, that forwards to it",
        )
    if settings.vpc_id and ours.vpc_id and settings.vpc_id != ours.vpc_id:
        yield (
            "other_vpc",
            f"it is in the VPC {settings.vpc_id}, this VM in {ours.vpc_id}: SLB cannot take it in",
            "use a load balancer and a server group of the VM's VPC",
        )
    if settings.any_port and not ours.names_connections_port:
        yield (
            "any_port_connections",
            "it forwards all ports, and a drain waits for connections to the checked port alone: "
            "others are cut",
            "name the ports of the service with drain.connections_port",
        )


def _of_zones(settings: Settings, ours: Ours) -> Iterator[_Found]:
    if settings.nodes_unread:
        yield (
            "settings_unread",
            "whether its load balancers have a node in this VM's zone cannot be read: "
            f"{settings.nodes_unread}",
            "allow it, or look at them yourself",
        )
    for nodes in settings.nodes:
        elsewhere = nodes.zones and ours.zone_id and ours.zone_id not in nodes.zones
        if elsewhere and nodes.cross_zone is False:
            yield (
                "zone_without_node",
                f"the load balancer {nodes.load_balancer_id} has nodes in {', '.join(nodes.zones)},"
                f" none in this VM's zone {ours.zone_id}, and cross-zone balancing is off: it sends"
                " this VM nothing",
                "add the zone to the load balancer, or turn cross-zone balancing on",
            )


def _stopped(settings: Settings) -> Iterator[tuple[str, _Found]]:
    for listener in settings.listeners or ():
        if listener.status == "stopped":
            text = "the listener is stopped: it forwards no requests"
            yield listener.name, ("listener_stopped", text, "start the listener")


def _of_place(place: Place, ours: Ours) -> Iterator[_Found]:
    if place.round_robin and ours.lowers_weight:
        yield (
            "round_robin",
            "its scheduling algorithm is round robin, which is documented to ignore weights: "
            "weight 0 may not end new requests",
            "choose weighted round-robin or weighted least connections, or set drain.method and "
            "on_unhealthy to remove",
        )
    if place.sticky:
        yield (
            "session_persistence",
            "session persistence is on: clients bound to this VM may go on coming at weight 0, "
            "until the VM is removed",
            "turn session persistence off, where the service allows it",
        )
    if place.drains is False:
        yield (
            "no_connection_drain",
            "connection draining is off: requests that last longer than drain.timeout are cut at "
            "the removal",
            "turn connection draining on, for as long as the longest request takes",
        )
    if place.check.on is False:
        yield (
            "check_off",
            "the health check is off: a VM that dies with its agent goes on getting requests, and "
            "SLB never says whether this VM gets any",
            "turn the health check on",
        )
        return
    yield from _of_times(place.check, ours)
    if ours.readiness_port is None:
        yield from _of_target(place, ours)
    else:
        yield from _of_readiness(place, ours, ours.readiness_port)


def _of_times(check: CheckSettings, ours: Ours) -> Iterator[_Found]:
    detection, back = check.detection_seconds, check.return_seconds
    local = ours.check.interval_seconds * ours.check.unhealthy_threshold
    slow = max(SLOW_SECONDS, TIMES_SLOWER * local)
    if detection is not None and ours.check.type != "none" and detection > slow:
        yield (
            "slow_detection",
            f"its health check takes {detection} s ({check.interval_seconds} s, "
            f"{check.unhealthy_threshold} times) to notice a failure, the local one {local:g} s: "
            "so long a VM that dies with its agent gets requests",
            "lower the health check interval or the unhealthy threshold",
        )
    if back is not None and back > ours.post_start_seconds:
        yield (
            "slow_return",
            f"its health check takes {back} s ({check.interval_seconds} s, "
            f"{check.healthy_threshold} times) to call a server normal, and post_start.timeout is "
            f"{ours.post_start_seconds:g} s: post-start ends before",
            "lower the health check interval or the healthy threshold, or raise post_start.timeout",
        )
    # The documentation says that a timeout below the interval does not count: the interval does.
    patience = max(check.timeout_seconds or 0, check.interval_seconds or 0)
    answers = ours.check.type in ("tcp", "http")
    if check.timeout_seconds and answers and patience < ours.check.timeout_seconds:
        yield (
            "shorter_timeout",
            f"its health check waits {patience} s for an answer, the local one "
            f"{ours.check.timeout_seconds:g} s: SLB takes out, again and again, a slow VM that "
            "the agent calls healthy",
            "raise the response timeout, or lower health_check.timeout",
        )


def _of_target(place: Place, ours: Ours) -> Iterator[_Found]:
    check, sends_to = place.check, ours.port or place.backend_port
    port = check.port or sends_to
    if check.kind == "udp" or port is None:
        return
    if ours.check.type not in ("tcp", "http"):
        return
    local = ours.check.port or sends_to or port
    if port != local:
        yield (
            "other_check_port",
            f"its health check goes to port {port}, the local one to port {local}: one may call "
            "this VM healthy while the other does not",
            f"set the health check port to {local}, or health_check.port to {port}",
        )
    elif check.kind == ours.check.type == "http" and check.path not in ("", ours.check.path):
        yield (
            "other_check_path",
            f"its health check asks for {check.path}, the local one for {ours.check.path}: one may "
            "call this VM healthy while the other does not",
            f"set the health check path to {ours.check.path}, or health_check.path to {check.path}",
        )


def _of_readiness(place: Place, ours: Ours, readiness_port: int) -> Iterator[_Found]:
    """The agent itself answers the check, or should: what it asks for does not matter."""
    check = place.check
    port, detection = check.port or ours.port or place.backend_port, check.detection_seconds
    if check.kind == "udp":
        return
    if port is not None and port != readiness_port:
        yield (
            "check_not_at_readiness_port",
            f"its health check goes to port {port}, not to readiness.port ({readiness_port}): SLB "
            "does not hear from the agent that this VM leaves",
            f"set the health check port to {readiness_port}",
        )
        return
    if check.kind == "tcp":
        yield (
            "readiness_check_not_http",
            "its health check only connects to readiness.port, which is open whatever the agent "
            "answers",
            "set the health check protocol to HTTP",
        )
    if detection is not None and detection > ours.drain_seconds:
        yield (
            "detection_longer_than_drain",
            f"its health check takes {detection} s to hear from readiness.port that this VM leaves,"
            f" and drain.timeout is {ours.drain_seconds:g} s: without the API the VM stops while "
            "it still gets requests",
            "lower the health check interval or the unhealthy threshold, or raise drain.timeout",
        )
    if detection is not None and detection < RESTART_SECONDS:
        yield (
            "detection_shorter_than_restart",
            f"its health check gives the agent up after {detection} s, and after a crash nobody "
            f"answers on readiness.port for up to {RESTART_SECONDS} s: a VM that serves is taken "
            "out",
            "raise the health check interval or the unhealthy threshold",
        )
