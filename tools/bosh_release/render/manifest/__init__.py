"""A manifest as it arrives, with its instances and addons, also those of runtime configs."""
