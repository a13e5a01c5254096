"""STS (Sts 2015-04-01): short-lived keys for a role."""
