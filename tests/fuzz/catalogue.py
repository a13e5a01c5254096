"""All targets there are."""

from __future__ import annotations

from tests.fuzz import (
    answers,
    config,
    control,
    dynamic,
    mocked_cloud,
    on_log,
    release,
    state,
    transport,
    unpacking,
)
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *config.TARGETS,
    *state.TARGETS,
    *dynamic.TARGETS,
    *on_log.TARGETS,
    *answers.TARGETS,
    *transport.TARGETS,
    *control.TARGETS,
    *release.TARGETS,
    *unpacking.TARGETS,
    *mocked_cloud.TARGETS,
)
