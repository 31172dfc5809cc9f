"""Raw data: generated, fetched from the web, or found in a folder of the user's."""
