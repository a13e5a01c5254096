"""`tools/release.py render`: the files that BOSH would put on a VM, from a release and a manifest.

Rooms, each imports only from those before it: interpolate, ruby, manifest, jobs, output."""
