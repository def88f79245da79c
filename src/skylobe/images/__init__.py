"""Normalised images of sources: files, sets, scaling, measures of shape."""
