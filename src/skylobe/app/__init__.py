"""The app in the browser and its JSON API: an index to search, to map, to label; see ``serving``."""
