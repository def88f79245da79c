"""A training on drawn views that has no planned end: settings, feed, average, loop."""
