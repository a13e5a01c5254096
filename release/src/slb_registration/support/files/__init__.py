"""Small files that are whole or not there, and whose files are believed."""
