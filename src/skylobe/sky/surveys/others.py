"""Surveys of LOFAR, the GMRT and the Molonglo telescope."""

from skylobe.sky.surveys.survey import HIPS_IN_USE, UNREAD, Survey, Zone

LOTSS = Survey(
    name="lotss",
    title="LOFAR Two-metre Sky Survey, DR2",
    frequency=144.0,
    beam=6.0,
    pixel_scale=1.5,
    outline=(Zone(20.0, 75.0, 100.0, 285.0), Zone(8.0, 45.0, 315.0, 60.0)),
    citation="Shimwell et al. 2022, A&A 659, A1",
    acknowledgement="LOFAR is the Low Frequency Array designed and constructed by ASTRON.",
    hips="astron.nl/P/lotss_dr2_high",
    sources={
        "imaging": "Shimwell et al. 2022",
        "pixel_scale": "a published client of the HiPS of DR2",
        "outline": "Shimwell et al. 2022: 4,178 deg² about 12h45m +44°30′ and 1,457 deg² about 1h00m "
        "+28°00′, each drawn here as a generous box",
        "service": HIPS_IN_USE + "; ASTRON's own address hips.astron.nl/ASTRON/P/lotss_dr2_high",
    },
)
TGSS = Survey(
    name="tgss",
    title="TIFR GMRT Sky Survey, Alternative Data Release 1",
    frequency=147.5,
    beam=25.0,
    pixel_scale=6.2,
    outline=(Zone(-55.0, 90.0),),
    citation="Intema et al. 2017, A&A 598, A78",
    acknowledgement="The GMRT is run by the National Centre for Radio Astrophysics of the TIFR.",
    hips="astron.nl/P/tgssadr",
    skyview="TGSS ADR1",
    sources={
        "imaging": "Intema et al. 2017",
        "pixel_scale": UNREAD,
        "outline": "Intema et al. 2017: north of −53°, and what an image's edge adds",
        "service": HIPS_IN_USE + "; SkyView name in clients of SkyView",
    },
    notes="South of declination +19° the beam is 25″ × 25″/cos(declination − 19°).",
)
SUMSS = Survey(
    name="sumss",
    title="Sydney University Molonglo Sky Survey",
    frequency=843.0,
    beam=45.0,
    pixel_scale=11.0,
    outline=(Zone(-90.0, -28.0),),
    citation="Mauch et al. 2003, MNRAS 342, 1117; Bock, Large & Sadler 1999, AJ 117, 1578",
    acknowledgement="The MOST is operated by the University of Sydney.",
    hips="CDS/P/SUMSS",
    skyview="SUMSS 843 MHz",
    sources={
        "imaging": "Bock et al. 1999",
        "pixel_scale": UNREAD,
        "outline": "VIII/81B: south of −30° and |b| > 10°; the plane is left in here, because the same "
        "telescope's plane survey may fill it in a service's mosaics",
        "service": HIPS_IN_USE + "; SkyView name in clients of SkyView",
    },
    notes="The beam is 45″ × 45″ cosec|declination|.",
)
