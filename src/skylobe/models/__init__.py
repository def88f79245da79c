"""An encoder with what its images must go through, and the vectors it makes."""
