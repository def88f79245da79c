"""The index in the browser: search, map, labels, and their JSON API."""
