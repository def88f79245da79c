"""What still knows the sky: positions, surveys, cut-outs in Jy/beam, rendering, corpora."""
