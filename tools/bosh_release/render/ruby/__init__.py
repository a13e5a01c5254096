"""Ruby's part: ERB templates and the director's YAML, in a real Ruby; the .rb files run there."""
