"""When calls are made that share an account's quotas with a whole fleet. Pure: no I/O, no clock."""
