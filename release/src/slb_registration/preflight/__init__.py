"""Warns of settings of load balancers that would hurt: never an error, never a delay.

`rules` holds what is set against the job's properties and makes no call; `ours` says which of
these count for a server group; `document` is for programs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SettingWarning:
    """One setting that would hurt. `code` names its kind and stays as it is.

    `listener` is empty where the whole group is meant. `text`: what is set and what that means;
    `advice`: what to do, in the console's words.
    """

    code: str
    group: str
    listener: str
    text: str
    advice: str

    @property
    def place(self) -> str:
        """The group, and the listener where there is one."""
        return f"{self.group}, {self.listener}" if self.listener else self.group

    def __str__(self) -> str:
        return f"{self.place}: {self.text}; {self.advice} ({self.code})"
