"""Health checks: who is to be probed behind the listeners, and the probes themselves."""
