"""Raw data: generated, fetched from the web, or used where it lies in a user's folder."""
