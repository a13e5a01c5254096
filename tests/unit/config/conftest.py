"""Loading a configuration, and the problems that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.config import agent_json
from tests.unit.driver import ACCESS_KEY, SECRET_KEY

from slb_registration.config import loading
from slb_registration.model.configuration import Config


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "agent.json"


@pytest.fixture
def load(config_file: Path) -> Callable[..., Config]:
    """Loads a configuration with these properties besides the keys."""

    def load(properties: dict[str, Any] | None = None, **top: Any) -> Config:
        agent_json.write(config_file, properties or {}, **top)
        return loading.load(config_file)

    return load


@pytest.fixture
def problems(load: Callable[..., Config]) -> Callable[..., tuple[str, ...]]:
    """The problems that these properties make, without the keys in any of them."""

    def problems(properties: dict[str, Any] | None = None, **top: Any) -> tuple[str, ...]:
        with pytest.raises(loading.ConfigError) as caught:
            load(properties, **top)
        assert str(caught.value) == "\n".join(caught.value.problems)
        assert SECRET_KEY not in str(caught.value)
        assert ACCESS_KEY not in str(caught.value)
        return caught.value.problems

    return problems
