"""What every reader of FITS shares: endings, the lock around warnings, cards that say nothing."""

import threading

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz", ".fit.gz", ".fz")
FILTERS = threading.Lock()  # the warning filters are the whole process'
REMARKS = ("COMMENT", "HISTORY", "")
