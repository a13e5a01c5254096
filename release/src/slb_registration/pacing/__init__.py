"""Pacing of calls that share an account's quotas with a whole fleet. Pure: no I/O, no clock.

`pacer` is the way in for what is done in a server group; `windows` and `polls` are its own. Beside
it are `backoff`, for all that waits after a failure, `quotas`, with how long they take to serve a
fleet, and `repeats`.
"""
