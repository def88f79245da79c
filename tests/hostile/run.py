"""Give hostile files to the doors that read them, and measure what each takes.

``python -m hostile.run DOOR`` prints a line of JSON per file, the fields of ``Found``. Linux only.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

from hostile import fits_files, folder_files, picture_files, table_files
from skylobe.core.errors import SkylobeError

READ, LOST = "Read", "No sentence: "
MODEL_FILES = ("config.json", "preprocessing.json", "model.safetensors")


Reading = tuple[str, Path, Callable[[], object]]  # name, file, what reads it


def images(read: Callable[[Path, bytes], object], folder: Path) -> Iterator[Reading]:
    """Write FITS files, pictures and arrays."""
    kinds = [(kind, "") for kind in fits_files.KINDS]
    kinds += [*picture_files.ENDINGS.items(), (picture_files.damaged, "")]
    for kind, ending in kinds:
        for name, data in kind():
            own = ending or (".fits.gz" if data.startswith(b"\x1f\x8b") else ".fits")
            own = name[-4:] if kind is picture_files.damaged else own
            path = folder / f"a{own}"
            path.write_bytes(data)
            yield f"{kind.__name__}: {name}", path, lambda path=path, data=data: read(path, data)


def read_upload(path: Path, data: bytes) -> object:
    """Read as what somebody sent."""
    from skylobe.app.uploads import receive

    return receive(data, path.name)


def read_file(path: Path, data: bytes) -> object:
    """Read as a row of a table."""
    from skylobe.images.datasets import table

    listed = path.with_name("t.csv")
    listed.write_text(f"id,file\na,{path.name}\n")
    return table.load(listed)


def tables(folder: Path) -> Iterator[Reading]:
    """Write tables."""
    from skylobe.core.tables import read_catalogue
    from skylobe.sky.table_positions import positions_in

    def read(path: Path) -> object:
        catalogue = read_catalogue(path)
        positions_in(catalogue)
        return catalogue

    for kind in table_files.KINDS:
        for name, ending, data in kind():
            path = folder / f"a{ending}"
            path.write_bytes(data)
            yield f"{kind.__name__}: {name}", path, lambda path=path: read(path)


def folders(
    make: Callable[[Path], Path], read: Callable[[Path], object], folder: Path
) -> Iterator[Reading]:
    """Change a file of a good folder at a time; a classifier's model is a model."""
    good = make(folder)
    changed = [one for one in good.rglob("*") if one.is_file() and one.suffix != ".md"]
    if (good / "classifier.json").exists():
        changed = [one for one in changed if one.name not in MODEL_FILES]
    for path in sorted(changed):
        kept = path.read_bytes()
        for name, data in folder_files.KINDS.get(path.suffix, folder_files.blobs)(kept):
            path.write_bytes(data)
            yield f"{path.relative_to(good)}: {name}", path, lambda: read(good)
        path.write_bytes(kept)


def make_model(folder: Path) -> Path:
    """Make a model whose note does not say what its files hold, as a stranger may leave out."""
    from search.making import small_model
    from skylobe.models.model import save_model

    return _unfingerprinted(save_model(small_model(), folder / "model"), "config.json")


def read_model(folder: Path) -> object:
    """Open a model."""
    from skylobe.models.loading import load_model

    return load_model(folder)


def make_classifier(folder: Path) -> Path:
    """Make a classifier, likewise."""
    from crash.jobs import classifier
    from skylobe.classify.classifier import save_classifier

    made = save_classifier(classifier(0), folder / "classifier")
    _unfingerprinted(made, "config.json")
    return _unfingerprinted(made, "classifier.json")


def read_classifier(folder: Path) -> object:
    """Open a classifier."""
    from skylobe.classify.classifier import load_classifier

    return load_classifier(folder)


def _unfingerprinted(folder: Path, note: str) -> Path:
    content = json.loads((folder / note).read_text())
    content.pop("files", None)
    (folder / note).write_text(json.dumps(content))
    return folder


def make_index(folder: Path) -> Path:
    """Make an index with a map and tags."""
    from app import small_index
    from skylobe.app.tags import TagStore

    made = small_index.make_index(folder)
    TagStore(made / "tags.json").change(["synthetic-1"], ["bent"])
    return made


def read_index(folder: Path) -> object:
    """Serve an index, and search it."""
    from search.making import small_model
    from skylobe.app import answers
    from skylobe.app.schema import SearchRequest
    from skylobe.app.state import open_state
    from skylobe.search.indexing import open_index
    from skylobe.search.queries import Doors

    state = open_state(
        open_index(folder), lambda one: Doors(one, small_model), folder / "tags.json"
    )
    return answers.search(state, SearchRequest(like=["synthetic-1"]))


DOORS: dict[str, Callable[[Path], Iterator[Reading]]] = {
    "upload": partial(images, read_upload),
    "file": partial(images, read_file),
    "table": tables,
    "model": partial(folders, make_model, read_model),
    "classifier": partial(folders, make_classifier, read_classifier),
    "index": partial(folders, make_index, read_index),
}


@dataclass(frozen=True)
class Found:
    """What became of a file.

    Args:
        name: Its kind, and what is wrong with it.
        size: Bytes.
        seconds: Of the processor; a process apart has its own limit.
        waited: Seconds by the clock.
        megabytes: Of memory, beyond what was in use before.
        said: The sentence; or ``READ`` and what was made of it.
    """

    name: str
    size: int
    seconds: float
    waited: float
    megabytes: float
    said: str

    @property
    def is_refused(self) -> bool:
        return not self.said.startswith(READ)

    @property
    def is_sentence(self) -> bool:
        return self.said.endswith(".") and "\n" not in self.said and not self.said.startswith(LOST)


def give(name: str, path: Path, read: Callable[[], object]) -> Found:
    """Have a file read."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory begins anew
    before, spent, start = peak(), time.process_time(), time.monotonic()
    try:
        said = f"{READ} as {type(read()).__name__}."
    except SkylobeError as error:
        said = str(error)
    except BaseException as error:
        said = f"{LOST}{type(error).__name__}: {error}"
    spent, waited = time.process_time() - spent, time.monotonic() - start
    sizes = path.stat().st_size, round(spent, 3), round(waited, 3), round(peak() - before, 1)
    return Found(name, *sizes, said)


def peak() -> float:
    """Give the highest memory of this process so far, in MB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1000


def main(door: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for number, reading in enumerate(DOORS[door](Path(scratch))):
            if number == 0:
                give(*reading)  # loads what is needed
            print(json.dumps(astuple(give(*reading))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
