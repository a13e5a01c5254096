"""YAML as the BOSH CLI (Go) reads it, typed and untyped, and as it writes it, byte for byte.

As a director reads it: render/ruby, with a real Ruby."""
