"""The radio surveys: frequency, beam, pixel scale, where on the sky, from which service, what to cite.

Data only. Every group of facts names its source; a HiPS identifier or a name of SkyView stands here only
if it was found in use, and ``None`` means that none was. Identifiers are exact: a name that several HiPS
share would be answered by any of them.
"""

from dataclasses import dataclass, field

from skylobe.core.errors import ConfigError


@dataclass(frozen=True)
class Zone:
    """Part of the sky between two meridians and two parallels, in degrees; ra_low may exceed ra_high."""

    dec_low: float
    dec_high: float
    ra_low: float = 0.0
    ra_high: float = 360.0


@dataclass(frozen=True)
class Cone:
    """Circle on the sky: centre and radius in degrees."""

    ra: float
    dec: float
    radius: float


@dataclass(frozen=True)
class MocFile:
    """Footprint shipped beside this module as the text of a MOC."""

    name: str


@dataclass(frozen=True)
class Survey:
    """One survey and the facts a cut-out needs.

    Args:
        name: Short name, as commands take it.
        title: Full name.
        frequency: MHz. Centre of the band.
        beam: Arcsec. Full width at half maximum; the typical one where it varies over the sky.
        pixel_scale: Arcsec per pixel of the survey's own images.
        outline: Regions that together hold every position observed, and some more: outside them is
            certainly outside.
        citation: What to cite.
        acknowledgement: What the survey asks to be acknowledged.
        sources: Where each group of facts was read: ``imaging`` (frequency and beam), ``pixel_scale``,
            ``outline``, ``service``.
        hips: Exact identifier of the HiPS for ``hips2fits``; ``None`` if none could be verified.
        skyview: Exact name in SkyView; ``None`` if it has none.
        unit: Of the pixels that the services give.
        notes: What a user of the pixels must know.
    """

    name: str
    title: str
    frequency: float
    beam: float
    pixel_scale: float
    outline: tuple[Zone | Cone | MocFile, ...]
    citation: str
    acknowledgement: str
    sources: dict[str, str] = field(hash=False)
    hips: str | None = None
    skyview: str | None = None
    unit: str = "Jy/beam"
    notes: str = ""


_NRAO = (
    "The National Radio Astronomy Observatory is a facility of the National Science Foundation "
    "operated under cooperative agreement by Associated Universities, Inc."
)
_ASKAP = (
    "This scientific work uses data obtained from Inyarrimanha Ilgari Bundara, the CSIRO "
    "Murchison Radio-astronomy Observatory; ASKAP is part of the Australia Telescope National Facility."
)
_MEERKAT = (
    "The MeerKAT telescope is operated by the South African Radio Astronomy Observatory, a facility "
    "of the National Research Foundation."
)
_HIPS_IN_USE = "HiPS identifier in published lists of the CDS registry and in clients of hips2fits"
_UNREAD = "as commonly quoted; no source of it was read"
_NO_HIPS = "no HiPS identifier found; cut out of mosaics on disk"
FIRST = Survey(
    name="first",
    title="VLA FIRST",
    frequency=1400.0,
    beam=5.4,
    pixel_scale=1.8,
    outline=(MocFile("first_footprint.txt"),),
    citation="Becker, White & Helfand 1995, ApJ 450, 559; Helfand, White & Becker 2015, ApJ 801, 26",
    acknowledgement=_NRAO,
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
    acknowledgement=_NRAO,
    hips="CDS/P/NVSS",
    skyview="NVSS",
    sources={
        "imaging": "Condon et al. 1998; VizieR VIII/65; headers of FR-DEEP",
        "pixel_scale": "headers of FR-DEEP; the limit of NRAO's postage-stamp server",
        "outline": "VizieR VIII/65: north of −40°, and what an image's edge adds",
        "service": _HIPS_IN_USE + "; SkyView name in clients of SkyView",
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
    acknowledgement=_NRAO,
    hips="NRAO/P/VLASS-Quicklook-MedianStack",
    sources={
        "imaging": "Lacy et al. 2020",
        "pixel_scale": _UNREAD,
        "outline": "Lacy et al. 2020: north of −40°, and what an image's edge adds",
        "service": _HIPS_IN_USE + "; reported in 2026 as blank or failing in hips2fits",
    },
    notes="Quick Look flux densities carry known systematic errors. The HiPS does not fill the survey.",
)
RACS_LOW = Survey(
    name="racs-low",
    title="Rapid ASKAP Continuum Survey, low band",
    frequency=887.5,
    beam=25.0,
    pixel_scale=2.5,
    outline=(Zone(-90.0, 50.5),),
    citation="McConnell et al. 2020, PASA 37, e048; Hale et al. 2021, PASA 38, e058",
    acknowledgement=_ASKAP,
    hips="CSIRO/P/RACS/low/I",
    sources={
        "imaging": "McConnell et al. 2020 (about 15″ native); Hale et al. 2021 (mosaics at 25″)",
        "pixel_scale": _UNREAD,
        "outline": "first epoch up to +41°, the second up to +48° (ATNF daily images, 2023 July 11 and "
        "2026 July 3), and what an image's edge adds",
        "service": _HIPS_IN_USE + "; RACS data page: one all-sky HiPS per band",
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
    acknowledgement=_ASKAP,
    hips="CSIRO/P/RACS/mid/I",
    sources={
        "imaging": "Duchesne et al. 2023: 8.1″ to 47.5″ with declination; the typical 10.1″ as "
        "commonly quoted",
        "pixel_scale": _UNREAD,
        "outline": "Duchesne et al. 2023: south of +49°",
        "service": _HIPS_IN_USE,
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
    acknowledgement=_ASKAP,
    sources={
        "imaging": "Duchesne et al. 2025: median beam 11.8″×8.1″",
        "pixel_scale": _UNREAD,
        "outline": "Duchesne et al. 2025: up to +48°",
        "service": _NO_HIPS + " (CASDA, doi:10.25919/g3jd-av02)",
    },
    notes="The beam varies with declination.",
)
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
        "service": _HIPS_IN_USE + "; ASTRON's own address hips.astron.nl/ASTRON/P/lotss_dr2_high",
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
        "pixel_scale": _UNREAD,
        "outline": "Intema et al. 2017: north of −53°, and what an image's edge adds",
        "service": _HIPS_IN_USE + "; SkyView name in clients of SkyView",
    },
    notes="South of declination +19° the beam is 25″ × 25″/cos(declination − 19°).",
)
EMU = Survey(
    name="emu",
    title="Evolutionary Map of the Universe",
    frequency=943.5,
    beam=15.0,
    pixel_scale=2.0,
    outline=(Zone(-90.0, 32.0),),
    citation="Norris et al. 2011, PASA 28, 215; Hopkins et al. 2025, arXiv:2505.08271",
    acknowledgement=_ASKAP,
    sources={
        "imaging": "15″: EMU's page at the ATNF; 943 MHz: abstract of the pilot survey (Kapinska et al. "
        "2020, BAAS 52), the main survey's 943.5 MHz as commonly quoted",
        "pixel_scale": _UNREAD,
        "outline": "planned up to +30° (Norris et al. 2011); observed so far is less",
        "service": _NO_HIPS + " (CASDA)",
    },
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
    acknowledgement=_MEERKAT,
    sources={
        "imaging": "Heywood et al. 2022 (Early Science: about 8″, and 5″ sharper images)",
        "pixel_scale": "the published cut-outs of 114 pixels made of the Early Science mosaics",
        "outline": "four deep fields, COSMOS, XMM-LSS, ECDFS, ELAIS-S1: 4.2, 14.4 and 1.5 deg² of the "
        "first three in Hale et al. 2025; centres as commonly quoted, each in a circle with room to spare",
        "service": _NO_HIPS,
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
    acknowledgement=_MEERKAT,
    sources={
        "imaging": "Knowles et al. 2022: about 8″",
        "pixel_scale": _UNREAD,
        "outline": "115 fields of 4 deg² between −80° and +15°; the zone says where none can be",
        "service": _NO_HIPS + " (doi:10.48479/7epd-w356)",
    },
    notes="Whether a cluster's field covers a position, only the mosaics on disk say.",
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
        "pixel_scale": _UNREAD,
        "outline": "VIII/81B: south of −30° and |b| > 10°; the plane is left in here, because the same "
        "telescope's plane survey may fill it in a service's mosaics",
        "service": _HIPS_IN_USE + "; SkyView name in clients of SkyView",
    },
    notes="The beam is 45″ × 45″ cosec|declination|.",
)
SURVEYS: dict[str, Survey] = {
    one.name: one
    for one in (
        FIRST,
        NVSS,
        VLASS,
        RACS_LOW,
        RACS_MID,
        RACS_HIGH,
        LOTSS,
        TGSS,
        EMU,
        MIGHTEE,
        MGCLS,
        SUMSS,
    )
}
_PREFIXES = ("vla", "nrao", "askap", "meerkat", "lofar", "gmrt")
_OTHER_NAMES = {"lotssdr2": "lotss", "tgssadr1": "tgss", "tgssadr": "tgss"}


def get(name: str) -> Survey:
    """Look a survey up by its name; case, spaces, hyphens and the telescope before it do not matter.

    Raises:
        ConfigError: Naming the surveys there are.

    >>> get("VLA FIRST").name, get("RACS mid").name, get("lotss dr2").name
    ('first', 'racs-mid', 'lotss')
    """
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    known = {one.replace("-", ""): one for one in SURVEYS} | _OTHER_NAMES
    for start in ("", *_PREFIXES):
        found = known.get(plain.removeprefix(start))
        if found is not None:
            return SURVEYS[found]
    raise ConfigError(f"There is no survey {name!r}; choose one of {', '.join(SURVEYS)}.")
