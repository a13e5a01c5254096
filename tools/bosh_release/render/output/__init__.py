"""Output of `render`: the folder, written all or nothing, and messages without secrets."""
