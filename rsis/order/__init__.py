"""The order in which the network emits its objects (paper, section 4.7)."""
