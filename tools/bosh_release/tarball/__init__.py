"""A release tarball of any maker: read without unpacking, and held against its release.MF."""
