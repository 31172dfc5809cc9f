"""`rsis init`: add entries to params.yaml for a user's folder of annotated pictures."""
