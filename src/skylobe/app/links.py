"""A position to pages of the archive services about it; nothing is fetched here."""

from urllib.parse import quote

FIELD = 0.1  # degrees
RADIUS = 1  # arcmin


def links(ra: float, dec: float) -> dict[str, str]:
    """Give the addresses of services that know more of a place.

    Args:
        ra: Degrees.
        dec: Degrees.

    >>> links(206.42, -23.38)["SIMBAD"]
    'https://simbad.cds.unistra.fr/simbad/sim-coo?Coord=206.420000%20-23.380000&Radius=1&Radius.unit=arcmin'
    """
    place = quote(f"{ra:.6f} {dec:+.6f}", safe="+-")
    plain = quote(place.replace("%20", " "), safe="-")  # where + would be read as a space
    simbad = f"Coord={place}&Radius={RADIUS}&Radius.unit=arcmin"
    return {
        "Aladin": f"https://aladin.cds.unistra.fr/AladinLite/?target={plain}&fov={FIELD}",
        "ESASky": f"https://sky.esa.int/esasky/?target={plain}&fov={FIELD}&sci=true",
        "NED": "https://ned.ipac.caltech.edu/conesearch?search_type=Near%20Position%20Search"
        f"&coordinates={ra:.6f}d%20{quote(f'{dec:+.6f}')}d&radius={RADIUS}",
        "SIMBAD": f"https://simbad.cds.unistra.fr/simbad/sim-coo?{simbad}",
        "Legacy": f"https://www.legacysurvey.org/viewer?ra={ra:.6f}&dec={dec:.6f}&zoom=14",
    }
