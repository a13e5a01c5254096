"""Ops files and `((variables))`: a manifest as `bosh interpolate` makes it."""
