"""Reads values out of YAML or JSON that a person wrote, and says clearly what is wrong where."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from mock_slb.core.digits import whole_number


class InputError(ValueError):
    """The text says where, what is wrong, and what was expected."""


class Fields:
    """A mapping whose fields are taken one by one; `done` refuses those that nobody took."""

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise InputError(f"{where or 'the top level'} must be a mapping of names to values")
        self.where = where
        self._left: dict[str, object] = dict(value)
        self._known: list[str] = []

    def __contains__(self, name: str) -> bool:
        return self._left.get(name) is not None

    def place(self, name: str) -> str:
        """The full name of a field, e.g. load_balancers[0].listeners[1].port."""
        return f"{self.where}.{name}" if self.where else name

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, str) or not value:
            raise InputError(f"{self.place(name)} must be a text, not {value!r}")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        if name in self:
            return self.text(name)
        self._skip(name)
        return None

    def whole(self, name: str, default: int | None = None, *, low: int = 0, high: int) -> int:
        """A whole number within bounds; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InputError(
                f"{self.place(name)} must be a whole number from {low} to {high}, not {value!r}"
            )
        return value

    def optional_whole(self, name: str, *, low: int = 0, high: int) -> int | None:
        """A whole number within bounds, or None where there is none."""
        if name in self:
            return self.whole(name, low=low, high=high)
        self._skip(name)
        return None

    def number(self, name: str, default: float | None = None, *, high: float = 86_400) -> float:
        """A number from 0 up to `high`; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= high:
            raise InputError(f"{self.place(name)} must be a number from 0 to {high}, not {value!r}")
        return float(value)

    def optional_number(self, name: str, *, high: float = 86_400) -> float | None:
        """A number, or None where there is none."""
        if name in self:
            return self.number(name, high=high)
        self._skip(name)
        return None

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false; required without a default."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise InputError(f"{self.place(name)} must be true or false, not {value!r}")
        return value

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of a few words."""
        value = self._take(name, default)
        if not isinstance(value, str) or value not in allowed:
            raise InputError(f"{self.place(name)} must be one of {', '.join(allowed)}: {value!r}")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """A mapping of text to text; empty where there is none."""
        return {
            self._as_text(key, self.place(name)): self._as_text(value, f"{self.place(name)}.{key}")
            for key, value in self._mapping(name).items()
        }

    def ports(self, name: str) -> dict[int, int]:
        """A mapping of port to port (JSON writes its keys as text); empty where there is none."""
        given = self._mapping(name)
        ports = {
            self._as_port(key, self.place(name)): self._as_port(value, f"{self.place(name)}.{key}")
            for key, value in given.items()
        }
        if len(ports) < len(given):
            raise InputError(f"{self.place(name)} gives a port twice, as a number and as a text")
        return ports

    def ports_by_name(self, name: str) -> dict[str, int]:
        """A mapping of text to port; empty where there is none."""
        return {
            self._as_text(key, self.place(name)): self._as_port(value, f"{self.place(name)}.{key}")
            for key, value in self._mapping(name).items()
        }

    def child(self, name: str) -> Fields | None:
        """A mapping within, empty where there is none; None where it says `off`."""
        value = self._take(name, {})
        # YAML reads a bare `off` as false.
        return None if value is False else Fields(value, self.place(name))

    def mapping(self, name: str) -> Fields:
        """A mapping within, which may be empty but must be there."""
        return Fields(self._take(name, None), self.place(name))

    def only(self, allowed: Sequence[str]) -> str:
        """The name of the one field that there is."""
        if len(self._left) != 1:
            raise InputError(f"{self.where} must have one name: one of {', '.join(allowed)}")
        (name,) = self._left
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(allowed)}"
            raise InputError(f"{self.place(name)} is not known; {hint}")
        return name

    def children(self, name: str) -> list[Fields]:
        """A list of mappings; empty where there is none."""
        value = self._take(name, [])
        if not isinstance(value, list):
            raise InputError(f"{self.place(name)} must be a list, not {value!r}")
        return [Fields(each, f"{self.place(name)}[{i}]") for i, each in enumerate(value)]

    def names(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        value = self._take(name, [])
        if not isinstance(value, list):
            raise InputError(f"{self.place(name)} must be a list, not {value!r}")
        return tuple(
            self._as_text(each, f"{self.place(name)}[{i}]") for i, each in enumerate(value)
        )

    def done(self) -> None:
        """Refuse what is left: a field that is ignored is a typing mistake that goes unseen."""
        for name in self._left:
            near = difflib.get_close_matches(name, self._known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(self._known)}"
            raise InputError(f"{self.place(name)} is not known; {hint}")

    def _take(self, name: str, default: object) -> object:
        self._known.append(name)
        value = self._left.pop(name, None)
        if value is not None:
            return value
        if default is None:
            raise InputError(f"{self.place(name)} is missing")
        return default

    def _skip(self, name: str) -> None:
        self._known.append(name)
        self._left.pop(name, None)

    def _mapping(self, name: str) -> Mapping[object, object]:
        value = self._take(name, {})
        if not isinstance(value, Mapping):
            raise InputError(f"{self.place(name)} must be a mapping, not {value!r}")
        return value

    @staticmethod
    def _as_text(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise InputError(f"{where} must be a text, not {value!r} (put it in quotes)")
        return value

    @staticmethod
    def _as_port(value: object, where: str) -> int:
        port = whole_number(str(value))
        if port is None or not 1 <= port <= 65535:
            raise InputError(f"{where} must be a port from 1 to 65535, not {value!r}")
        return port
