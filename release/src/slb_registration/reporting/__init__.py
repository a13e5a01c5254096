"""Reports on the agent: the status document, one word for it, reasons, metrics."""
