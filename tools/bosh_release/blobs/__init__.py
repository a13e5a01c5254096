"""`tools/release.py blobs`: brings the blobs that config/blobs.yml lists into blobs/."""
