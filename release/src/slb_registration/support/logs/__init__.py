"""Lines for an operator: what they look like, and that nobody is held up by writing one."""
