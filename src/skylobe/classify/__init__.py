"""A few labels to a classifier, its decisions and how far to trust them."""
