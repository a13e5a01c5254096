"""The manifest that a request names, as it is after all that BOSH does with it before rendering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bosh_release.render.interpolate.unresolved import Place, Unresolved, expect_all
from bosh_release.render.manifest.addons import with_addons
from bosh_release.render.manifest.group_facts import Known
from bosh_release.render.manifest.manifest import (
    Manifest,
    place_of_runtime_config,
    read_manifest,
    with_runtime_config,
)
from bosh_release.render.manifest.received import Received, receive
from bosh_release.render.request import Request
from bosh_release.render.ruby.erb import CREATE_ENV
from bosh_release.support.errors import ReleaseError


def read(request: Request) -> tuple[Manifest, Sequence[Received]]:
    """Return the manifest with its runtime configs, and what was read for it.

    Raises ReleaseError; where a variable without a value is the cause, it says that.
    """
    variables, context = request.variables, request.context
    received = [receive(request.manifest, request.ops_files, variables, context)]
    arrived = received[0].arrived
    try:
        manifest = read_manifest(
            arrived, request.manifest, request.deployment, request.instance_group
        )
        if context == CREATE_ENV:
            return _without_addons(manifest), received
        for file in request.runtime_configs:
            place = place_of_runtime_config(manifest)
            received.append(receive(file, (), variables, context, place))
            manifest = with_runtime_config(manifest, received[-1].arrived, file)
        return _with_addons(manifest, request), received
    except ReleaseError:
        for each in received:
            check_structure(each.arrived.unresolved, each.arrived.document)
        raise


def _without_addons(manifest: Manifest) -> Manifest:
    """Return the manifest as `bosh create-env` takes it, which passes over addons."""
    if manifest.is_runtime_config:
        raise ReleaseError(f"{manifest.file}: `bosh create-env` takes no runtime config")
    return manifest


def _with_addons(manifest: Manifest, request: Request) -> Manifest:
    """Return the manifest with the jobs of its addons and of the runtime configs."""
    settings = request.settings
    networks = tuple(settings.networks)
    known = Known(request.instance_group, request.stemcell_os, networks, settings.az)
    return with_addons(manifest, known)


def check_structure(unresolved: Sequence[Unresolved], document: Any) -> None:
    """Raise for variables in the place of names, groups and jobs: nothing is found without them."""
    expect_all([found for found in unresolved if _is_structure(found.path)], document)


def _is_structure(path: Place) -> bool:
    lists = ("instance_groups", "addons", "jobs")
    if not path or path[-1] in ("name", "release", *lists):
        return True
    of_addon = path[2:] if path[0] == "runtime_configs" else path
    if of_addon[:1] == ("addons",) and of_addon[2:3] in (("include",), ("exclude",)):
        return True
    return len(path) > 1 and path[-2] in lists
