"""Surveys of the Very Large Array."""

from skylobe.sky.surveys.survey import HIPS_IN_USE, UNREAD, MocFile, Survey, Zone

NRAO = (
    "The National Radio Astronomy Observatory is a facility of the National Science Foundation "
    "operated under cooperative agreement by Associated Universities, Inc."
)
FIRST = Survey(
    name="first",
    title="VLA FIRST",
    frequency=1400.0,
    beam=5.4,
    pixel_scale=1.8,
    outline=(MocFile("first_footprint.txt"),),
    citation="Becker, White & Helfand 1995, ApJ 450, 559; Helfand, White & Becker 2015, ApJ 801, 26",
    acknowledgement=NRAO,
    skyview="VLA FIRST (1.4 GHz)",
    sources={
        "imaging": "Becker et al. 1995; headers of MiraBest's SkyView cut-outs",
        "pixel_scale": "headers of 36 SkyView cut-outs of MiraBest",
        "outline": "half-degree cells with a component of the catalogue of 2014 December 17",
        "service": "SkyView name in clients of SkyView; the CDS registry has no HiPS of FIRST",
    },
    notes="The beam is 6.4″×5.4″ south of +4°33′21″ and in the southern Galactic cap.",
)
NVSS = Survey(
    name="nvss",
    title="NRAO VLA Sky Survey",
    frequency=1400.0,
    beam=45.0,
    pixel_scale=15.0,
    outline=(Zone(-41.5, 90.0),),
    citation="Condon et al. 1998, AJ 115, 1693",
    acknowledgement=NRAO,
    hips="CDS/P/NVSS",
    skyview="NVSS",
    sources={
        "imaging": "Condon et al. 1998; VizieR VIII/65; headers of FR-DEEP",
        "pixel_scale": "headers of FR-DEEP; the limit of NRAO's postage-stamp server",
        "outline": "VizieR VIII/65: north of −40°, and what an image's edge adds",
        "service": HIPS_IN_USE + "; SkyView name in clients of SkyView",
    },
)
VLASS = Survey(
    name="vlass",
    title="VLA Sky Survey, Quick Look",
    frequency=3000.0,
    beam=2.5,
    pixel_scale=1.0,
    outline=(Zone(-41.5, 90.0),),
    citation="Lacy et al. 2020, PASP 132, 035001",
    acknowledgement=NRAO,
    hips="NRAO/P/VLASS-Quicklook-MedianStack",
    sources={
        "imaging": "Lacy et al. 2020",
        "pixel_scale": UNREAD,
        "outline": "Lacy et al. 2020: north of −40°, and what an image's edge adds",
        "service": HIPS_IN_USE + "; reported in 2026 as blank or failing in hips2fits",
    },
    notes="Quick Look flux densities carry known systematic errors. The HiPS does not fill the survey.",
)
