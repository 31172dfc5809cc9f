"""A trained network as a tool: pictures in, objects out."""
