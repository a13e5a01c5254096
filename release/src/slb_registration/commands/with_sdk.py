"""The commands that need the SDK in any case: the agent itself, the errand, and orphans."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from slb_registration.agent.process import Agent
from slb_registration.commands import errand as check
from slb_registration.commands import errand_document
from slb_registration.commands.orphans import Done, all_is_well, document, removal, report
from slb_registration.commands.orphans.find import find
from slb_registration.model.configuration import Config
from slb_registration.reconcile.dry_run import ObservesError
from slb_registration.support.logs import log_files
from slb_registration.support.logs.command_streams import answer
from slb_registration.support.logs.event_log import EventLog
from slb_registration.support.logs.printable import printable
from slb_registration.support.supervision.signals import taken


def run(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    """The agent, until SIGTERM or SIGINT; SIGHUP opens the logs anew where it has its own."""
    stop = threading.Event()

    def open_logs_anew() -> None:
        log_files.reopen(arguments.log_dir)
        log.info("SIGHUP: logs were opened anew")

    actions = {
        signal.SIGTERM: stop.set,
        signal.SIGINT: stop.set,
        signal.SIGHUP: stop.set if arguments.log_dir is None else open_logs_anew,
    }
    with taken(actions) as take:
        Agent(config, log).run(stop, wait=take)
    return 0


def errand(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    """The table, or JSON, to stdout; reasons and warnings to stderr. A warning is no failure."""
    checked = check.check(config, threading.Event(), log)
    problems = [finding for finding in checked.findings if finding.problem is not None]
    order = check.order_in_force(config) if problems and config.register else None
    as_json = errand_document.found(checked, order, log.redact) if arguments.json else None
    answer(as_json or check.render(checked.findings))
    for finding in problems:
        told = f"{finding.group}, {finding.server_id}: {log.redact(finding.problem or '')}"
        sys.stderr.write(f"{printable(told)}\n")
    if order is not None:
        sys.stderr.write(f"{order}\n")
    for warning in checked.warnings:
        sys.stderr.write(f"warning: {printable(log.redact(str(warning)))}\n")
    return 1 if problems else 0


def orphans(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    """Lists them, removes those that are named, and tells both on stdout. Raises ObservesError."""
    named = arguments.remove or []
    if named and config.observes:
        raise ObservesError("no server is removed")
    survey, cloud = find(config, log)
    done: list[Done] = []
    ok = False
    try:
        for one in removal.remove_named(cloud, survey, named, log):
            done.append(one)
        ok = all_is_well(survey, done, named=bool(named))
    finally:  # who interrupts it is told what was done by then
        as_json = document.found(survey, done, ok=ok)
        answer(as_json if arguments.json else report.render(survey, done))
    return 0 if ok else 1
