"""To which server groups this VM belongs that the manifest does not name: by tags, and by files."""
