"""The bill of materials of a tarball: works of others that its wheels are, and carry copies of."""
