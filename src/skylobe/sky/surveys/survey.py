"""What is known of a survey: the records that the rows of this folder fill in."""

from dataclasses import dataclass, field

HIPS_IN_USE = "HiPS identifier in published lists of the CDS registry and in clients of hips2fits"
UNREAD = "as commonly quoted; no source of it was read"
NO_HIPS = "no HiPS identifier found; cut out of mosaics on disk"


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
