"""The account: the model of all products together, where its servers are, and all as JSON."""
