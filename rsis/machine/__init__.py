"""The machine that a process runs on: cores, memory, locks, worker processes, installed packages, the git commit."""
