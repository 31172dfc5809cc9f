"""Files written whole or not at all, the manifest of a raw data set, and where each file lies."""
