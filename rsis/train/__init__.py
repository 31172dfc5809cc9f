"""Training: the Lightning module, the schedule, and the run that can be killed and resumed."""
