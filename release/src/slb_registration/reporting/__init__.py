"""What the agent says of itself: the status document, one word for it, reasons, metrics."""
