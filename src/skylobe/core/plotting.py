"""What all figures share: colours, markers, and how a figure becomes a file or part of a page."""

import base64
import io
from pathlib import Path

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from skylobe.core import storage
from skylobe.core.errors import ConfigError

# Okabe & Ito (2008): told apart with any colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#222222"


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format that its file name ends in, complete or not at all.

    Raises:
        ConfigError: If the ending is of no picture.
    """
    insist_on_picture(path)
    with storage.write_atomically(path) as temporary:
        figure.savefig(temporary)
    return path


def insist_on_picture(path: Path) -> None:
    """Refuse a file name that ends in no format of pictures, before time is spent.

    Raises:
        ConfigError: If it does.
    """
    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in known:
        raise ConfigError(f"{path}: unknown picture ending; use .png, .pdf or .svg.")


def to_data_uri(figure: Figure) -> str:
    """Turn a figure into text that a page can embed as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
