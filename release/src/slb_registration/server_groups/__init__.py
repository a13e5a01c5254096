"""One adapter per kind of server group, behind one protocol."""
