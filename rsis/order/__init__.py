"""Analysis of the order in which the network predicts objects (paper, section 4.7)."""
