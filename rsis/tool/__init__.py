"""A trained network as a tool: find the objects in pictures of any kind."""
