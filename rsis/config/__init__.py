"""params.yaml as typed, frozen models."""
