"""The words of the domain, as types: no behaviour beyond themselves, and no I/O."""
