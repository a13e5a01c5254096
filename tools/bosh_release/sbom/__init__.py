"""`tools/release.py sbom`: the works of others that a tarball's wheels are, and carry copies of."""
