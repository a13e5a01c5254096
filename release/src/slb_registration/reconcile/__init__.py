"""ONE server group: what is, what should be, what to do next and when. Pure: no I/O, no clock.

`registrar` is the way in. It is handed the time, randomness and the answer to the last call, so
that the same code runs in the agent, in unit tests and ten thousand times in a simulated fleet.
"""
