"""This VM: who it is, who is connected to it, and what of it outlives a process."""
