"""Why the network emits its objects in the order it does (paper, section 4.7)."""
