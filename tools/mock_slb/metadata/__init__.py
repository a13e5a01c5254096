"""The instance metadata service, which tells a VM of itself and hands out its role's keys."""
