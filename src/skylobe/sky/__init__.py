"""What still knows the sky: positions, surveys, cut-outs, components, corpora of pixels in Jy/beam.

Quantities and ``SkyCoord`` live here; past ``normalise`` there are plain tensors.
"""
