"""Keeps a BOSH VM registered with Alibaba Cloud load balancers while its service is healthy."""

__version__ = "0.1.0"
