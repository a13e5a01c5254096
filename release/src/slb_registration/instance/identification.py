"""Finds out which instance this VM is: by the metadata service, the configuration, and without an
answer the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slb_registration.instance.journal_file import FILE_NAME, is_of_this_boot, last_instance
from slb_registration.instance.metadata import (
    IdentityError,
    Instance,
    Metadata,
    MetadataError,
    identify,
)
from slb_registration.model.configuration import Config
from slb_registration.support.logs.event_log import EventLog

GIVEN_SECONDS = 30.0
"""How long the metadata service is asked where region and instance_id are given."""

KNOWN_SECONDS = 3.0
"""The same, where the journal tells who this VM was when it was booted: as long as it is not known
who this VM is, nobody lowers it when its service fails."""


class Identification:
    """Asks until there is an answer, and tells what hinders that."""

    def __init__(
        self, config: Config, metadata: Metadata, log: EventLog, *, beat: Callable[[], None]
    ) -> None:
        """`beat` is called as long as it asks.

        `error`: what hinders; `mistaken`: whether it is the configuration. `remark`: what may be a
        mistake, and is done all the same.
        """
        self.error: str | None = None
        self.mistaken = False
        self.remark: str | None = None
        self._config = config
        self._metadata = metadata
        self._log = log
        self._beat = beat

    def ask(self, stop: threading.Event) -> Instance | None:
        """Return who this VM is; None where only a person can let that be known, or `stop` is
        set."""
        known = self._before()
        given = self._config.region is not None and self._config.instance_id is not None
        patience = KNOWN_SECONDS if known else GIVEN_SECONDS if given else None
        try:
            return self._ask(stop, patience)
        except (IdentityError, MetadataError) as error:
            if stop.is_set():
                return None
            self.mistaken = isinstance(error, IdentityError)
            self.error = str(error)
            if self.mistaken or known is None:
                self._log.warning(self.error)
                return None
            self._log.warning("going on as who this VM was since it was booted", because=self.error)
            return known

    def _before(self) -> Instance | None:
        """Return who this VM was earlier since it was booted, where the configuration does not
        object."""
        path, config = self._config.data_dir / FILE_NAME, self._config
        last = last_instance(path) if is_of_this_boot(path) else None
        if last is None or config.instance_id not in (None, last.instance_id):
            return None
        return last if config.region in (None, last.region) else None

    def ask_to_leave(self, stop: threading.Event, patience_seconds: float) -> Instance:
        """Return who this VM is, for a drain: where the metadata service is gone, the journal knows
        who it was. Raises IdentityError and MetadataError."""
        try:
            return self._ask(stop, patience_seconds)
        except MetadataError:
            last = last_instance(self._config.data_dir / FILE_NAME)
            if last is None:
                raise
            return last

    def _ask(self, stop: threading.Event, patience_seconds: float | None) -> Instance:
        return identify(
            self._metadata,
            region=self._config.region,
            instance_id=self._config.instance_id,
            stop=stop,
            patience_seconds=patience_seconds,
            on_retry=self._still_asking,
            on_remark=self._take_remark,
        )

    def _take_remark(self, text: str) -> None:
        if text != self.remark:
            self._log.warning(text)
        self.remark = text

    def _still_asking(self, text: str) -> None:
        """Say why once, however often it is asked again."""
        self._beat()
        reason = text.partition(";")[0]
        news = self.error is None or self.error.partition(";")[0] != reason
        self.error = text
        if news:
            self._log.warning(text)
