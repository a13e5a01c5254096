"""Questions to the metadata service whose answers nobody waits for: asked until there is one."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

from slb_registration.instance.metadata import AGAIN_SECONDS, IdentityError, MetadataError
from slb_registration.model.failure import Failure

FIRST_SECONDS = 0.5
FEEL_SECONDS = 1.0
"""How soon it is felt that there is a new question."""

TRIES_BEFORE_GIVING_UP = 2
"""After so many failures a drain goes by what the journal knows: of the 8 s that post-stop has, two
that were waited for in vain leave time for the rest."""

T = TypeVar("T")


class NotAskedError(MetadataError):
    """The question is new."""

    def __init__(self) -> None:
        super().__init__("the metadata service is being asked")


class Question(Generic[T]):
    """One question. Any thread may look at it; one asks."""

    def __init__(self, ask: Callable[[], T]) -> None:
        """`ask` raises MetadataError, and IdentityError where only a person can mend it."""
        self.failures = 0
        self.due = float("-inf")
        self._ask = ask
        self._answer: T | None = None
        self._error: Failure = NotAskedError()

    @property
    def given_up(self) -> bool:
        """Return whether a drain waits for the answer no longer: it has failed often, or always
        will."""
        mistaken = not self.answered and isinstance(self._error, IdentityError)
        return mistaken or self.failures >= TRIES_BEFORE_GIVING_UP

    @property
    def answered(self) -> bool:
        """Return whether it need not be asked any more."""
        return self._answer is not None

    def get(self) -> T:
        """The answer. Raises what asking for it has last."""
        if self._answer is None:
            raise self._error
        return self._answer

    def ask(self, clock: Callable[[], float], random: Random) -> bool:
        """Ask if that is due; whether there is something new to be told of it."""
        if self.answered or clock() < self.due:
            return False
        before = self._error
        try:
            self._answer = self._ask()
        except (MetadataError, IdentityError) as error:
            self.failures += 1
            self._error = error
            longest = min(FIRST_SECONDS * 2 ** min(self.failures, 10), AGAIN_SECONDS)
            self.due = clock() + random.uniform(longest / 2, longest)
            return str(error) != str(before) or self.failures == TRIES_BEFORE_GIVING_UP
        return True
