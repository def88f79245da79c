"""Images to a trained encoder: views, methods, the loop, the record of a run."""
