"""Surveys of MeerKAT."""

from skylobe.sky.surveys.survey import NO_HIPS, UNREAD, Cone, Survey, Zone

MEERKAT = (
    "The MeerKAT telescope is operated by the South African Radio Astronomy Observatory, a facility "
    "of the National Research Foundation."
)
MIGHTEE = Survey(
    name="mightee",
    title="MeerKAT International GHz Tiered Extragalactic Exploration",
    frequency=1284.0,
    beam=8.2,
    pixel_scale=1.1,
    outline=(
        Cone(150.12, 2.21, 2.5),
        Cone(35.5, -4.7, 4.0),
        Cone(53.1, -28.0, 2.0),
        Cone(8.95, -43.7, 2.5),
    ),
    citation="Heywood et al. 2022, MNRAS 509, 2150; Hale et al. 2025, MNRAS 536, 2187",
    acknowledgement=MEERKAT,
    sources={
        "imaging": "Heywood et al. 2022 (Early Science: about 8″, and 5″ sharper images)",
        "pixel_scale": "the published cut-outs of 114 pixels made of the Early Science mosaics",
        "outline": "four deep fields, COSMOS, XMM-LSS, ECDFS, ELAIS-S1: 4.2, 14.4 and 1.5 deg² of the "
        "first three in Hale et al. 2025; centres as commonly quoted, each in a circle with room to spare",
        "service": NO_HIPS,
    },
    notes="Beam and frequency differ from field to field; the header of a mosaic has its own.",
)
MGCLS = Survey(
    name="mgcls",
    title="MeerKAT Galaxy Cluster Legacy Survey",
    frequency=1284.0,
    beam=7.8,
    pixel_scale=1.25,
    outline=(Zone(-90.0, 17.0),),
    citation="Knowles et al. 2022, A&A 657, A56",
    acknowledgement=MEERKAT,
    sources={
        "imaging": "Knowles et al. 2022: about 8″",
        "pixel_scale": UNREAD,
        "outline": "115 fields of 4 deg² between −80° and +15°; the zone says where none can be",
        "service": NO_HIPS + " (doi:10.48479/7epd-w356)",
    },
    notes="Whether a cluster's field covers a position, only the mosaics on disk say.",
)
