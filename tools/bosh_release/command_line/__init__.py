"""Options, reports, exit codes and the process: what all commands of tools/release.py share."""
