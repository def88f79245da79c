"""What all rows of an index share, and the file beside them that says so."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from skylobe.core import storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.settings import from_dict
from skylobe.models.model import Model, weights_fingerprint
from skylobe.search.approximate import Partitions

NOTE = "index.json"
FORMAT = 1  # of the folder; raised when an older reader could not understand it
EXACT_ROWS = 1_000_000  # more are searched with an approximate index


@dataclass(frozen=True)
class Note:
    """What all rows of an index share.

    Args:
        model: Name of the model that made the vectors.
        fingerprint: Of its weights and preprocessing.
        n_views: Views per vector, 1 or 8.
        data: Sets that the rows come from.
        exact_rows: Rows above which the search is approximate.
        approximate: How, with the recall that was measured; ``None`` where it is exact.
        format: Of the folder.
    """

    model: str
    fingerprint: str
    n_views: int
    data: tuple[str, ...]
    exact_rows: int = EXACT_ROWS
    approximate: Partitions | None = None
    format: int = FORMAT

    @property
    def recall(self) -> float:
        """Share of the ten true neighbours that a search finds, as measured; 1 where it is exact."""
        return 1.0 if self.approximate is None else self.approximate.recall


def read_note(folder: Path, place: str) -> Note:
    """Read the note of an index.

    Args:
        folder: Where it lies.
        place: What the index is called.

    Raises:
        DataError: If it is not there, cannot be read, or is of another version.
    """
    try:
        kept = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        found = kept["format"]
        if found == FORMAT:
            return from_dict(Note, kept)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, ConfigError):
        raise DataError(
            f"{place}: not an index, or one that was not finished being made; make one with "
            "skylobe.index(out=FOLDER)."
        ) from None
    raise DataError(f"{place}: format {found}, this version reads {FORMAT}; build the index again.")


def write_note(folder: Path, note: Note) -> None:
    """Write the note of an index, complete or not at all."""
    storage.write_json(folder / NOTE, asdict(note))


def insist_on_model(note: Note, place: str, model: Model, n_views: int | None) -> None:
    """Insist that a model made an index.

    Args:
        note: Of the index.
        place: What the index is called.
        model: What is about to be used with it.
        n_views: Views that are about to be used; ``None`` for any.

    Raises:
        ConfigError: If another model, or another number of views, made it.
    """
    if weights_fingerprint(model) != note.fingerprint:
        raise ConfigError(
            f"{place}: was made by the model {note.model} ({note.fingerprint}), not by this "
            f"{model.name}; name that model with model=NAME, or build the index again."
        )
    if n_views not in (None, note.n_views):
        raise ConfigError(
            f"{place}: was made with {note.n_views} views, not {n_views}; embed with "
            f"n_views={note.n_views}."
        )
