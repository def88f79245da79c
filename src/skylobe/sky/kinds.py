"""What kind of map a FITS image is, and of which polarisation: by its cards, else by its file's name."""

import re
from pathlib import PurePath
from typing import Literal

from astropy.io import fits

from skylobe.sky.headers import value_of

Kind = Literal["image", "rms", "weight", "other"]

WORDS: dict[str, Kind] = {
    **dict.fromkeys(("rms", "noise", "sens", "sensitivity", "stddev"), "rms"),
    **dict.fromkeys(("err", "error", "errors", "uncert", "uncertainty"), "rms"),
    **dict.fromkeys(("weight", "weights", "wt", "wht", "wgt", "coverage", "exposure"), "weight"),
    **dict.fromkeys(("ivar", "invvar", "var", "variance", "nvis"), "weight"),
    **dict.fromkeys(("mask", "psf", "residual", "residuals", "model", "flag", "flags"), "other"),
    **dict.fromkeys(("dq", "snr", "spix", "pb", "bkg", "background"), "other"),
}
UNDONE = {"pb": "cor", "bkg": "sub", "background": "sub"}  # beginnings: primary beam corrected
PARTS_OF_A_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
TERMS = re.compile(r"[._-](?:tt|taylor\.)[1-9][._-]|\.alpha\.", re.IGNORECASE)  # of a spectrum
LETTER = re.compile(r"[._-]([QUV])[._-]", re.IGNORECASE)
STOKES = {1: "I", 2: "Q", 3: "U", 4: "V", -1: "RR", -2: "LL", -5: "XX", -6: "YY"}


def kind_of(header: fits.Header, path: PurePath | None = None) -> Kind:
    """Tell an image of the sky from maps of its noise, its weights and other by-products.

    What the cards say counts before the file's name.

    >>> kind_of(fits.Header(), PurePath("J1200+30.rms.fits")), kind_of(fits.Header({"BTYPE": "Weight"}))
    ('rms', 'weight')
    """
    said = [
        str(value_of(header, key) or "") for key in ("BTYPE", "EXTNAME", "IMAGETYP", "FILETYPE")
    ]
    for text in [*said, "" if path is None else path.name]:
        parts = [part.lower() for part in PARTS_OF_A_NAME.findall(text)]
        for part in parts:
            undone = part in UNDONE and any(one.startswith(UNDONE[part]) for one in parts)
            if part in WORDS and not undone:
                return WORDS[part]
    return "image" if path is None or not TERMS.search(path.name) else "other"


def stokes_of(header: fits.Header, path: PurePath | None = None) -> str:
    """Name the polarisation: the card's, else the axis', else a lone letter's in the file's name; else I.

    >>> stokes_of(fits.Header(), PurePath("image.v.field1.fits")), stokes_of(fits.Header({"STOKES": "q"}))
    ('V', 'Q')
    """
    said = str(value_of(header, "STOKES") or "").strip().upper()
    if said:
        return said
    for axis in range(1, 8):
        if str(value_of(header, f"CTYPE{axis}") or "").strip().upper() == "STOKES":
            first = [value_of(header, f"{key}{axis}") for key in ("CRVAL", "CRPIX", "CDELT")]
            value, pixel, step = (1.0 if one is None else float(one) for one in first)
            number = round(value + (1 - pixel) * step)
            return STOKES.get(number, f"number {number}")
    named = None if path is None else LETTER.search(path.name)
    return "I" if named is None else named[1].upper()
