"""A release folder as it lies there: specs, files, patterns, versions, and its state in git."""
