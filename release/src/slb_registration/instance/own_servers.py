"""This VM as a server of each of its server groups, as far as that is known.

How many groups there may be, there are few questions: one for each network interface or address
that is meant. Each is asked by itself, and one without an answer hinders no group that is not about
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import NamedTuple

from slb_registration.instance.own_server import Metadata, given, resolved
from slb_registration.instance.questions import FEEL_SECONDS, Question
from slb_registration.model.configuration import GroupSpec
from slb_registration.model.failure import Failure
from slb_registration.support.logs.event_log import EventLog


class Meant(NamedTuple):
    """The subject of a question: which of this VM's interfaces or addresses is meant."""

    server_type: str
    server_id: str | None
    server_ip: str | None


class Servers:
    """Knows, or asks. Any thread may call `of`, which never waits; one calls `look`."""

    def __init__(
        self,
        metadata: Metadata,
        log: EventLog,
        *,
        beat: Callable[[], None],
        random: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`beat` is called before each question. `on_news` is told where an answer came, or why
        there is none is new.
        """
        self.on_news: Callable[[], None] = lambda: None
        self._metadata = metadata
        self._log = log
        self._beat = beat
        self._random = random
        self._clock = clock
        self._questions: dict[Meant, Question[GroupSpec]] = {}
        self._told: dict[Meant, type[Failure]] = {}

    def of(self, spec: GroupSpec) -> GroupSpec:
        """`spec` with the server's id and address.

        Raises MetadataError where that is not known (yet), and IdentityError as own_server.resolved
        does; it is asked for from now on.
        """
        known = given(spec)
        if known is not None:
            return known
        server = self._question(spec).get()
        return replace(spec, server_id=server.server_id, server_ip=server.server_ip)

    def given_up(self, spec: GroupSpec) -> bool:
        """Return whether a drain waits for the answer no longer."""
        return self._question(spec).given_up

    def turn(self) -> float:
        """Ask what is due; returns the seconds until it is looked at again."""
        return min(self.look(), FEEL_SECONDS)

    def look(self) -> float:
        """Ask what is due; returns the seconds until the next time."""
        for meant, question in list(self._questions.items()):
            self._beat()
            if question.ask(self._clock, self._random):
                self._tell(meant, question)
                self.on_news()  # the next answer may take long
        waiting = [one.due for one in self._questions.values() if not one.answered]
        return max(0.0, min(waiting, default=float("inf")) - self._clock())

    def _question(self, spec: GroupSpec) -> Question[GroupSpec]:
        meant = Meant(spec.server_type, spec.server_id, spec.server_ip)
        new = Question(lambda: resolved(spec, self._metadata))
        return self._questions.setdefault(meant, new)

    def _tell(self, meant: Meant, question: Question[GroupSpec]) -> None:
        which = meant.server_id or meant.server_ip or "the primary one"
        fields: dict[str, object] = {"server_type": meant.server_type, "which": which}
        try:
            server = question.get()
        except Failure as error:
            if self._told.get(meant) is not type(error):
                self._told[meant] = type(error)
                message = "not known as which server this VM is to stand; asking again"
                self._log.warning(message, **fields, because=str(error))
            return
        fields |= {"server_id": server.server_id, "server_ip": server.server_ip}
        if meant in self._told:
            self._log.info("known again as which server this VM stands", **fields)
