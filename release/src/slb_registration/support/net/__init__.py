"""Connections and requests that end in time, whatever the other side does."""
