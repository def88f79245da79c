"""Surveys of the Australian SKA Pathfinder."""

from skylobe.sky.surveys.survey import HIPS_IN_USE, NO_HIPS, UNREAD, Survey, Zone

ASKAP = (
    "This scientific work uses data obtained from Inyarrimanha Ilgari Bundara, the CSIRO "
    "Murchison Radio-astronomy Observatory; ASKAP is part of the Australia Telescope National Facility."
)
RACS_LOW = Survey(
    name="racs-low",
    title="Rapid ASKAP Continuum Survey, low band",
    frequency=887.5,
    beam=25.0,
    pixel_scale=2.5,
    outline=(Zone(-90.0, 50.5),),
    citation="McConnell et al. 2020, PASA 37, e048; Hale et al. 2021, PASA 38, e058",
    acknowledgement=ASKAP,
    hips="CSIRO/P/RACS/low/I",
    sources={
        "imaging": "McConnell et al. 2020 (about 15″ native); Hale et al. 2021 (mosaics at 25″)",
        "pixel_scale": UNREAD,
        "outline": "first epoch up to +41°, the second up to +48° (ATNF daily images, 2023 July 11 and "
        "2026 July 3), and what an image's edge adds",
        "service": HIPS_IN_USE + "; RACS data page: one all-sky HiPS per band",
    },
    notes="The first release is convolved to one beam of 25″; single tiles are sharper.",
)
RACS_MID = Survey(
    name="racs-mid",
    title="Rapid ASKAP Continuum Survey, middle band",
    frequency=1367.5,
    beam=10.1,
    pixel_scale=2.0,
    outline=(Zone(-90.0, 50.5),),
    citation="Duchesne et al. 2023, PASA 40, e034",
    acknowledgement=ASKAP,
    hips="CSIRO/P/RACS/mid/I",
    sources={
        "imaging": "Duchesne et al. 2023: 8.1″ to 47.5″ with declination; the typical 10.1″ as "
        "commonly quoted",
        "pixel_scale": UNREAD,
        "outline": "Duchesne et al. 2023: south of +49°",
        "service": HIPS_IN_USE,
    },
    notes="The beam varies with declination; a cut-out's own is not known from the service.",
)
RACS_HIGH = Survey(
    name="racs-high",
    title="Rapid ASKAP Continuum Survey, high band",
    frequency=1655.5,
    beam=11.8,
    pixel_scale=2.0,
    outline=(Zone(-90.0, 50.5),),
    citation="Duchesne et al. 2025, PASA 42, e038",
    acknowledgement=ASKAP,
    sources={
        "imaging": "Duchesne et al. 2025: median beam 11.8″×8.1″",
        "pixel_scale": UNREAD,
        "outline": "Duchesne et al. 2025: up to +48°",
        "service": NO_HIPS + " (CASDA, doi:10.25919/g3jd-av02)",
    },
    notes="The beam varies with declination.",
)
EMU = Survey(
    name="emu",
    title="Evolutionary Map of the Universe",
    frequency=943.5,
    beam=15.0,
    pixel_scale=2.0,
    outline=(Zone(-90.0, 32.0),),
    citation="Norris et al. 2011, PASA 28, 215; Hopkins et al. 2025, arXiv:2505.08271",
    acknowledgement=ASKAP,
    sources={
        "imaging": "15″: EMU's page at the ATNF; 943 MHz: abstract of the pilot survey (Kapinska et al. "
        "2020, BAAS 52), the main survey's 943.5 MHz as commonly quoted",
        "pixel_scale": UNREAD,
        "outline": "planned up to +30° (Norris et al. 2011); observed so far is less",
        "service": NO_HIPS + " (CASDA)",
    },
)
