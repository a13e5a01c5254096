"""What a person, monit or BOSH calls."""
