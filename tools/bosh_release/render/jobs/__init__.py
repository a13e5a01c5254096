"""The jobs in a manifest, and what the templates of each get: properties, links and `spec`."""
