"""The pointer decoder: each step points at an object and segments there, seeing a canvas of what was emitted."""
