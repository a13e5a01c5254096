"""The process: its parts wired together, its phases, and the sockets on which it is asked."""
