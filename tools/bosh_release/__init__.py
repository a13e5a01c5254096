"""Builds, checks and renders BOSH releases the way the BOSH CLI and the director do."""

__version__ = "0.1.0"
