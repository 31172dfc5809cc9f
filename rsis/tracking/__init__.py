"""Where runs and data sets stand, and what DVC knows of them."""
