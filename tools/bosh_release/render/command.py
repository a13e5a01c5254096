"""`tools/release.py render`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bosh_release.command_line.options import add_command, add_release_dir
from bosh_release.command_line.reporting import Output, Report
from bosh_release.render.interpolate.variables import collect
from bosh_release.render.options import links, settings
from bosh_release.render.rendering import render_to
from bosh_release.render.request import Request
from bosh_release.render.ruby.erb import CONTEXTS, CREATE_ENV, DIRECTOR
from bosh_release.support.errors import ReleaseError

if TYPE_CHECKING:
    from bosh_release.command_line.options import Commands

_DESCRIPTION = """\
Renders a job's templates with the values of a manifest, as BOSH does when it deploys: the result
lies in OUTPUT/JOB/ as it would lie in /var/vcap/jobs/JOB on a VM, programs in bin/ with mode 0750,
all else 0640. Needs Ruby, which fills in the templates.
"""
_EPILOG = """\
The manifest may be a fragment with nothing but instance_groups; --deployment then gives the name.
Its addons, and those of --runtime-config, are added to the instance groups that their include and
exclude let through. --manifest may be a runtime config itself: it is rendered as if it were applied
to --instance-group of --deployment. It does not tell the group's stemcell, networks, azs,
lifecycle, other jobs or teams: what these would decide counts as let through, unless two addons
then have the same job; --stemcell-os, --network and --az tell more.

A property that the job's spec does not declare is an error, because a director would pass over it
in silence and the job would run with the default; --allow-undeclared makes it a warning.

Values are what they are after BOSH has handed them on: the CLI writes them anew as YAML, with few
quotes, and a director reads it with Ruby, to which `::1` is a Symbol and `1,000` a number. What
changes on this way is a warning; text that Ruby takes for a date is an error, as under a director.

OUTPUT is replaced as a whole, and only if it is empty or an earlier rendering; where anything
fails it stays as it was.

examples:
  render --manifest manifest.yml -l secrets.yml --output build/rendered
  render --manifest manifest.yml -o ops.yml -v port=8080 --index 1 --output out
  render --manifest manifest.yml --runtime-config dns.yml --output out
  render --manifest manifest.yml --output out \\
    --link 'db={instances: [{address: 10.0.0.7}]}'

with --json the result is {"jobs": [{"name", "path", "files": [their paths in the job's folder]}]}

"""

# Options about the instance that create-env gives no way to set, and what they are if not given.
_DIRECTOR_ONLY: dict[str, object] = {
    "index": 0,
    "az": None,
    "ip": None,
    "bootstrap": None,
    "network": [],
    "link": [],
    "runtime_config": [],
    "stemcell_os": None,
}


def add_parser(commands: Commands) -> None:
    """Add `render` to the commands of release.py."""
    summary = "render a job's templates with the values of a manifest"
    parser = add_command(commands, "render", summary, _DESCRIPTION, _EPILOG)
    parser.add_argument(
        "--manifest",
        type=Path,
        required=True,
        metavar="FILE",
        help="deployment manifest, a fragment of one, or runtime config",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the rendered jobs"
    )
    add_release_dir(parser)
    _add_choice(parser)
    _add_values(parser)
    _add_instance(parser)
    parser.set_defaults(func=_run)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is rendered")
    group.add_argument(
        "-d", "--deployment", metavar="NAME", help="the deployment, where the manifest has no name"
    )
    group.add_argument(
        "-g",
        "--instance-group",
        metavar="NAME",
        help="needed where several instance groups have jobs of the release",
    )
    group.add_argument(
        "--runtime-config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a runtime config whose addons are added, too; can be repeated (-o is for --manifest)",
    )
    group.add_argument(
        "--stemcell-os",
        metavar="NAME",
        help="the group's, for the include and exclude of addons (default: the manifest's)",
    )
    group.add_argument(
        "-j",
        "--job",
        action="append",
        default=[],
        metavar="NAME",
        help="only this job; can be repeated (default: all of the release in the group)",
    )
    group.add_argument(
        "--context",
        choices=CONTEXTS,
        default=DIRECTOR,
        help="render as a director does, or as `bosh create-env` (default: director)",
    )
    group.add_argument(
        "--allow-undeclared",
        action="store_true",
        help="only warn of properties and links that the job's spec does not declare",
    )


def _add_values(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("values for ((variables)), as for the BOSH CLI")
    group.add_argument(
        "-l",
        "--vars-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="YAML file with values; of several the later wins. The place for secrets",
    )
    group.add_argument(
        "--var-file",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="a file's whole content as one value",
    )
    group.add_argument(
        "-v",
        "--var",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one value, wins over files. Others on this machine can read command lines: "
        "pass secrets with -l",
    )
    group.add_argument(
        "-o",
        "--ops-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="operations (replace, remove, test) on the manifest, before values are put in",
    )


def _add_instance(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the instance (`spec` in templates)")
    group.add_argument("--index", type=int, default=0, help="default: 0")
    group.add_argument("--id", help="default: made from deployment, group and index")
    group.add_argument("--az", help="default: from the group's azs")
    group.add_argument("--address", help="default: the IP address")
    group.add_argument(
        "--ip", help="of the default network (default: its static IP, else 127.0.0.1)"
    )
    group.add_argument(
        "--bootstrap",
        action=argparse.BooleanOptionalAction,
        help="default: true for index 0",
    )
    group.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an IP address, or settings: 'default={ip: 10.0.0.5, gateway: 10.0.0.1}'",
    )
    group.add_argument(
        "--link",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="values of a link: '{instances: [{address: 10.0.0.7}], properties: {port: 80}, "
        "address: q.bosh}', or @FILE with the same",
    )


def _run(arguments: argparse.Namespace, output: Output) -> Report:
    rendering = render_to(arguments.output, _request(arguments))
    for warning in rendering.warnings:
        output.note(warning, "warning")
    for note in rendering.notes:
        output.note(note)
    jobs = [
        {
            "name": job.name,
            "path": str((arguments.output / job.name).absolute()),
            "files": [file.path for file in job.files],
        }
        for job in rendering.jobs
    ]
    lines = (f"{arguments.output / job.name}: {len(job.files)} files" for job in rendering.jobs)
    return Report("\n".join(lines), {"jobs": jobs})


def _request(arguments: argparse.Namespace) -> Request:
    if arguments.context == CREATE_ENV:
        _check_create_env(arguments)
    return Request(
        manifest=arguments.manifest,
        release=arguments.release_dir,
        deployment=arguments.deployment,
        instance_group=arguments.instance_group,
        jobs=arguments.job,
        variables=collect(arguments.vars_file, arguments.var_file, arguments.var),
        ops_files=arguments.ops_file,
        context=arguments.context,
        settings=settings(arguments),
        links=links(arguments.link),
        allow_undeclared=arguments.allow_undeclared,
        runtime_configs=arguments.runtime_config,
        stemcell_os=arguments.stemcell_os,
    )


def _check_create_env(arguments: argparse.Namespace) -> None:
    for option, unset in _DIRECTOR_ONLY.items():
        if getattr(arguments, option) != unset:
            raise ReleaseError(
                f"--{option.replace('_', '-')} has no meaning with --context create-env, which "
                "renders one instance without zone, links, addons or known networks; only --id and "
                "--address can be set"
            )
