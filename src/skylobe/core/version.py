"""Which skylobe this is, and which software a result depends on."""

import platform
from importlib.metadata import version

VERSION = version("skylobe")


def versions() -> dict[str, str]:
    """Name the software that a result depends on."""
    packages = ("skylobe", "torch", "numpy", "scikit-learn", "astropy", "lightning-fabric")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
