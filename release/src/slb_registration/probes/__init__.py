"""Checks whether the co-located service is serving."""
