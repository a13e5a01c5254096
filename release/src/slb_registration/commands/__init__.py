"""The commands that a person, monit or BOSH calls."""
