"""From agent.json, and the files of co-located jobs, to model: every problem at once."""
