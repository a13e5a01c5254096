"""`tools/release.py verify`: tells what tarball.release_checks finds in a tarball."""
