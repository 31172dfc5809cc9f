"""`rsis init`: from a folder of somebody's own annotated pictures to entries in params.yaml."""
