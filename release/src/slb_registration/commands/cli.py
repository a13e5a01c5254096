"""Arguments and exit codes: 0 as it should be, 1 not, 2 wrong usage."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from slb_registration.cloud.credentials import Redaction, Static
from slb_registration.commands import colours, errand_document, hold_options, orders, post_start
from slb_registration.commands import drain as leaving
from slb_registration.commands.client import ask_status
from slb_registration.commands.drain import Caller
from slb_registration.commands.help_format import HelpFormatter
from slb_registration.commands.orphans import document
from slb_registration.commands.status_table import render
from slb_registration.config import drain as config_drain
from slb_registration.config import job_files, link
from slb_registration.config.loading import ConfigError, data_dir_of, load
from slb_registration.instance.build import this_build
from slb_registration.model.configuration import Config
from slb_registration.model.failure import Failure
from slb_registration.preflight import memory
from slb_registration.reporting.overall import as_it_should_be
from slb_registration.reporting.received import read
from slb_registration.support.logs import log_files
from slb_registration.support.logs.command_streams import answer, patient_stderr
from slb_registration.support.logs.event_log import EventLog, quiet_sdk
from slb_registration.support.logs.outlet import Outlet
from slb_registration.support.logs.printable import printable

DEFAULT_CONFIG = Path("/var/vcap/jobs/slb-registration-test/config/agent.json")
CLEAR_NO = os.EX_UNAVAILABLE
"""Exit code of `healthy` that no interpreter, shell or wrapper ends with by itself: for BOSH DNS a
crash is no answer."""

INTERRUPTED = 130
"""As a shell says it of a program that Ctrl-C has ended."""

_FAILED = {"check": errand_document.failed, "orphans": document.failed}
"""What the commands that answer in JSON say of a failure."""

Command = Callable[[Config, EventLog, argparse.Namespace], int]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _open_what_is_closed()
    with patient_stderr():
        try:
            return _main(argv)
        except KeyboardInterrupt:
            return INTERRUPTED
        except Exception:  # noqa: BLE001 - told as Python tells it, which would wait for stderr
            traceback.print_exc()
            return 1


def _main(argv: list[str] | None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.log_dir is not None:
        log_files.become_output(arguments.log_dir)
    quiet_sdk()
    with log_files.log_file(arguments.log_file) as file:
        return _run(arguments, file)


def _run(arguments: argparse.Namespace, file: Outlet | None) -> int:
    """Run the command; what it has to say goes to stderr and to the file, if there is one."""

    def say(text: str) -> None:
        sys.stderr.write(text)
        if file is not None:
            file.write(text)

    def fail(reason: str) -> int:
        failed = _FAILED.get(arguments.name)
        if failed is not None and arguments.json:
            with contextlib.suppress(BrokenPipeError):  # whoever read our output has gone
                answer(failed(reason))
        say(reason)
        return int(arguments.on_failure)

    try:
        config = load(arguments.config)
    except ConfigError as error:
        problems = "".join(f"  {printable(problem)}\n" for problem in error.problems)
        refused = fail(f"{arguments.config} cannot be used:\n{problems}")
        return _without_configuration(arguments, say) if arguments.command is _drain else refused
    log = _log(config, arguments, file)
    try:
        code: int = arguments.command(config, log, arguments)
        sys.stdout.flush()
        return code
    except Failure as error:
        return fail(f"slb-registration: {printable(str(error))}\n")
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(arguments.on_failure)
    except OSError as error:
        place = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return fail(f"slb-registration: {printable(place)}\n")
    finally:
        log.finish()


def _open_what_is_closed() -> None:
    """Give a stream that the caller has closed somewhere to go, and its number to no other file."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            lasting = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, lasting)


def _with_sdk(name: str) -> Command:
    """A command of the module `commands`, which is imported only when it is run: the SDK takes a
    tenth of a second, and the other commands do without it."""

    def command(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
        commands = importlib.import_module("slb_registration.commands.with_sdk")
        code: int = getattr(commands, name)(config, log, arguments)
        return code

    return command


def _validate(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    if config.metrics is not None and config.metrics.tls is not None:
        # Not imported before: TLS takes as long to import as all of a command that does without.
        metrics_tls = importlib.import_module("slb_registration.agent.metrics_tls")
        metrics_tls.serving_context(config.metrics.tls)
    if arguments.pre_start:
        orders.prepare_start(config)
    globs, check = config.dynamic_config_globs, config.health_check
    for path, found in job_files.read_all(globs, config.port, check):
        if isinstance(found, ConfigError):  # another job's mistake does not stop this one
            because = "; ".join(found.problems)
            log.warning("a co-located job's file cannot be used", file=str(path), because=because)
    ignored = config_drain.ignored_requests(config.drain)
    if ignored is not None:
        log.warning(ignored)
    _tell_of_the_backend(config, log)
    if arguments.pre_start:
        _tell_what_is_set(config, log)
    log.info("the configuration is valid", config=str(arguments.config))
    return 0


def _tell_what_is_set(config: Config, log: EventLog) -> None:
    """Nobody is asked: it is what the agent has read, before this start and perhaps otherwise
    configured."""
    as_of, warnings = memory.recall(config.data_dir)
    for one in warnings:
        log.warning("what is set on a load balancer would hurt", as_of=as_of, because=str(one))


def _tell_of_the_backend(config: Config, log: EventLog) -> None:
    """Port and path may come from another job: of which, is said here and in the status."""
    backend = link.described(config)
    ignored = backend.pop("ignored")
    if ignored is not None:
        log.warning(ignored)
    log.info("backend", **backend)


def _wait(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    del arguments
    if post_start.wait(config, log):
        return 0
    if config.post_start.required:
        return 1
    log.warning("post_start.required is false: going on all the same")
    return 0


def _healthy(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    del log, arguments
    return 0 if orders.healthy(config) else CLEAR_NO


def _drain(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    """The whole drain, or what post-stop does."""
    if arguments.quick:
        leaving.remove_what_is_left(config, log)
        return 0
    drained = leaving.drain(config, log, _caller(arguments), returns=arguments.returns)
    return 0 if drained or config.drain.on_error == "continue" else 1


def _caller(arguments: argparse.Namespace) -> Caller:
    if arguments.pre_stop:
        return Caller.PRE_STOP
    return Caller.DRAIN if arguments.after_pre_stop else Caller.BY_HAND


def _status(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    del log
    document = ask_status(config.run_dir / "agent.sock")
    if arguments.json:
        answer(json.dumps(document, indent=1) + "\n")
    else:
        answer(render(document, coloured=colours.wanted(sys.stdout)))
    return 0 if as_it_should_be(read(document)) else 1


def _hold(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    return 0 if orders.hold(config, log, arguments.length, arguments.reason) else 1


def _resume(config: Config, log: EventLog, arguments: argparse.Namespace) -> int:
    del arguments
    return 0 if orders.resume(config, log) else 1


class _Version(argparse.Action):
    """Prints which build this is, on one line: argparse's own would break it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(this_build())
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slb-registration",
        description="Keeps this VM registered with Alibaba Cloud load balancers while its service "
        "is healthy. Exit codes: 0 as it should be, 1 not, 2 wrong usage.",
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="which build this is")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, formatter_class=HelpFormatter)
        sub.add_argument(
            "--config",
            type=Path,
            default=DEFAULT_CONFIG,
            metavar="FILE",
            help="what BOSH rendered (default: %(default)s)",
        )
        sub.add_argument(
            "--log-file", type=Path, metavar="FILE", help="append the log lines to this file, too"
        )
        sub.set_defaults(command=command, name=name, on_failure=1, log_dir=None)
        return sub

    run = add(
        "run",
        _with_sdk("run"),
        "Run the agent in the foreground; SIGTERM ends it, registrations stay.",
    )
    run.add_argument(
        "--log-dir",
        type=Path,
        metavar="DIR",
        help="append stdout and stderr to agent.stdout.log and agent.stderr.log there; SIGHUP "
        "opens them anew",
    )
    validate = add("validate", _validate, "Check the configuration and list every problem.")
    validate.add_argument(
        "--pre-start", action="store_true", help="also end a drain: this is a new start of the job"
    )
    check = add(
        "check",
        _with_sdk("errand"),
        "Ask SLB whether this VM is registered everywhere it should be, as the errand does. Exit "
        "codes: 0 where it is, 1 where it is not or that cannot be found out, 2 wrong usage. Warns "
        "on stderr of what is set on the load balancers and would hurt, which is no failure.",
    )
    check.add_argument(
        "--json",
        action="store_true",
        help="as JSON: schema (1), ok, findings (of each: group, server_id, port, weight, health "
        "by listener, and problem, null where all is well), warnings (of each: code, group, "
        "listener or null, text, advice), order (a hold, drain or mode that explains problems, "
        "or null), error (why nothing could be found out, or null)",
    )
    orphans = add(
        "orphans",
        _with_sdk("orphans"),
        "List backend servers with our marker (bosh/…) whose VM is gone, in the server groups that "
        "this VM can know of, and remove those that are named, no others. Exit codes: 0 nothing to "
        "see to, or all that was named is out; 1 there is something, or not all could be read or "
        "removed.",
    )
    orphans.add_argument(
        "--remove",
        action="append",
        metavar="ID",
        help="remove this server (i-…), if it is one of them; may be repeated",
    )
    orphans.add_argument(
        "--json",
        action="store_true",
        help="as JSON: schema (1), ok, complete (whether all could be read), error (why nothing "
        "could be found out, or null), ecs (why its word does not count, or null), entries (of "
        "each: server_group, server_id, port, verdict, because, removed, …), refused, problems",
    )
    add("wait", _wait, "Wait until this VM is in service in every server group (post-start).")
    healthy = add(
        "healthy",
        _healthy,
        f"Exit with {CLEAR_NO} only while draining or when the local check fails (BOSH DNS).",
    )
    healthy.set_defaults(on_failure=0)  # what cannot be asked takes no instance out of DNS
    drain = add("drain", _drain, "Weight 0, wait until connections are gone, remove.")
    by = drain.add_mutually_exclusive_group()
    by.add_argument(
        "--pre-stop", action="store_true", help="begin the time that the stop's two scripts share"
    )
    by.add_argument(
        "--after-pre-stop", action="store_true", help="go on with what pre-stop has left of it"
    )
    by.add_argument(
        "--quick", action="store_true", help="only remove what is left, within 10 s (post-stop)"
    )
    drain.add_argument(
        "--returns",
        action="store_true",
        help="this VM comes back (with --pre-stop), and this job on it (with --after-pre-stop): "
        "it stays registered with weight 0, unless drain.keep_registered is never",
    )
    status = add(
        "status",
        _status,
        "Print what the running agent knows. Exit codes: 0 where this VM is in service, held or "
        "drained in every server group, idle (register: false), or would change nothing (mode: "
        "observe); 1 in every other state, and where no agent answers; 2 wrong usage.",
    )
    status.add_argument("--json", action="store_true", help="as JSON")
    told = "Tells what was before, and what came of it in each server group. Exit codes: 0"
    hold = add(
        "hold",
        _hold,
        "Keep this VM at weight 0, across restarts, until `resume` or the end that --for gives. "
        "A hold that there is already gets the end and the reason of this one, or none. "
        f"{told} once it is out of rotation everywhere, 1 where that was not seen within 15 s "
        "(the agent goes on), 2 wrong usage.",
    )
    hold.add_argument(
        "--for",
        dest="length",
        type=hold_options.length,
        metavar="TIME",
        help="then the agent resumes by itself: a whole number of s, m, h or d (90m, 2h), up to "
        "365d, by this VM's clock",
    )
    hold.add_argument(
        "--reason",
        type=hold_options.reason,
        metavar="TEXT",
        help="which status, the log and the errand tell: up to 200 printable characters, no "
        "secrets",
    )
    add(
        "resume",
        _resume,
        f"End a hold or a drain. {told} once it is in service everywhere, 1 where that was not "
        "seen within 15 s (the agent goes on).",
    )
    return parser


def _log(config: Config, arguments: argparse.Namespace, file: Outlet | None) -> EventLog:
    """The agent logs to stdout; commands to stderr, for a person as text."""
    main_stream = sys.stdout if arguments.name == "run" else sys.stderr
    kind = "text" if main_stream.isatty() else config.log.format
    streams: list[TextIO | Outlet] = [main_stream] if file is None else [main_stream, file]
    level = "info" if arguments.name in ("hold", "resume") else config.log.level
    log = EventLog(*streams, level=level, format=kind)  # an operator's order is always answered
    if config.keys is not None:
        Redaction(log).cover(Static(config.keys).current())
    return log


def _without_configuration(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """A VM that never got in can be stopped, and so repaired, whatever its configuration is."""
    nothing_to_drain = leaving.without_configuration(data_dir_of(arguments.config))
    if nothing_to_drain is None:
        say("slb-registration: cannot drain: this VM may still be in rotation\n")
        return int(arguments.on_failure)
    say(f"slb-registration: {nothing_to_drain}\n")
    return 0
