"""Orders of an operator, or of BOSH, to the running agent."""

from __future__ import annotations

import enum


class Order(enum.Enum):
    """The command that gives an order writes the marker files, too."""

    PRE_STOP = "pre-stop"  # the drain up to where BOSH's drain goes on
    DRAIN = "drain"
    HOLD = "hold"
    RESUME = "resume"  # ends a drain and a hold
    START = "start"  # a new start of the job: ends a drain


WAIT = "/wait"
"""Where the agent's socket is asked, as a command that waits for it, for the status."""
