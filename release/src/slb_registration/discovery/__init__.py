"""Finds server groups of this VM that the manifest does not name: by tags, and by files."""
