"""`tools/release.py build`: makes the tarball that `bosh create-release` makes of a folder."""
