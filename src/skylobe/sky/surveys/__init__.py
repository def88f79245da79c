"""The radio surveys: frequency, beam, pixel scale, where on the sky, from which service, what to cite.

Data only: another survey is another row in the file of its observatory, and is found there. Every group of
facts names its source; a HiPS identifier or a name of SkyView stands here only if it was found in use, and
``None`` means that none was. Identifiers are exact: a name that several HiPS share would be answered by
any of them.
"""

from skylobe.core.errors import ConfigError
from skylobe.sky.surveys import askap, meerkat, nrao, others
from skylobe.sky.surveys.survey import Cone, MocFile, Survey, Zone

__all__ = ["SURVEYS", "Cone", "MocFile", "Survey", "Zone", "get"]

OBSERVATORIES = (nrao, askap, meerkat, others)
SURVEYS: dict[str, Survey] = {
    row.name: row
    for home in OBSERVATORIES
    for row in vars(home).values()
    if isinstance(row, Survey)
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
