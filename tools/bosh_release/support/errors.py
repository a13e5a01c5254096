"""Failures as an operator reads them: what was being done, and, indented below it, why it failed.

The outline is the one the BOSH CLI prints, so that a message found on the web means the same here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class ReleaseError(Exception):
    """Something a person has to put right; `str()` is the whole message."""

    def __str__(self) -> str:
        return self.outline()

    def outline(self, prefix: str = "", bullet: str = "") -> str:
        """Return the message with its first line behind `prefix` and `bullet`."""
        return prefix + bullet + super().__str__()


class ContextError(ReleaseError):
    """The work during which `cause` happened."""

    def __init__(self, doing_what: str, cause: ReleaseError) -> None:
        super().__init__(doing_what)
        self.cause = cause

    def outline(self, prefix: str = "", bullet: str = "") -> str:
        """Put the cause on the next line, two columns further in."""
        below = self.cause.outline(prefix + " " * len(bullet) + "  ")
        return f"{super().outline(prefix, bullet)}:\n{below}"


class MultiError(ReleaseError):
    """Independent failures, all of which are told at once."""

    def __init__(self, errors: Sequence[ReleaseError]) -> None:
        super().__init__()
        self.errors = tuple(errors)

    def outline(self, prefix: str = "", bullet: str = "") -> str:
        """Give each failure its own bullet."""
        inner = prefix + " " * len(bullet)
        return "\n".join(error.outline(inner, "- ") for error in self.errors)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say `what` was being done above every ReleaseError of the block."""
    try:
        yield
    except ReleaseError as error:
        raise ContextError(what, error) from error


def raise_all(errors: Sequence[ReleaseError]) -> None:
    """Raise the errors together, if there are any."""
    if errors:
        raise MultiError(errors)


def printable(text: str) -> str:
    """Return the text with all but line ends escaped that would change a terminal's state.

    Names in a tarball or a folder of someone else's may hold anything.
    """
    return "".join(
        c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def in_one_line(text: str) -> str:
    """Return the text with its line ends escaped: a name may not write a line of its own."""
    return text.replace("\n", "\\n")


def os_failure(call: str, path: str | os.PathLike[str], error: OSError) -> ReleaseError:
    """Word an OSError as the CLI does: `open /x/spec: no such file or directory`."""
    return ReleaseError(f"{call} {os.fspath(path)}: {reason_of(error)}")


def changed(path: str | os.PathLike[str]) -> ReleaseError:
    """Say that a file is not what it was when its digest was made."""
    return ReleaseError(f"{os.fspath(path)} changed while it was being packed: build again")


def reason_of(error: OSError) -> str:
    """Return why the system refused, without the path."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
