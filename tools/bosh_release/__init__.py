"""Builds, checks and renders BOSH releases the way the BOSH CLI and the director do."""
