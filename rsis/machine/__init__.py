"""The machine a process runs on: processors, memory, locks, processes, installed packages, the checkout."""
