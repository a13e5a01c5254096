"""CLB (Slb 2014-05-15): default groups, vServer groups and active/standby groups, at once."""
