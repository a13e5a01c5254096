"""Files, processes, threads, interrupts and errors, as all rooms need them."""
