"""Training: the Lightning module, the schedule, and runs that can be killed and resumed."""
