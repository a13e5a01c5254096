"""The API before any product: calls are authenticated, checked, spoilt by faults, written down."""
