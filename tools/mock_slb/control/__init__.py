"""Changes from outside the API: an account from a file at start, then the paths under /_mock/."""
