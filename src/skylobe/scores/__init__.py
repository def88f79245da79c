"""Vectors and labels to honest numbers and their figures."""
