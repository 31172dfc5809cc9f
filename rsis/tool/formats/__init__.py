"""Writers of the formats that annotation tools read, so that predicted objects can be corrected and trained on."""
