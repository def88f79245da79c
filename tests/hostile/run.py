"""Give hostile files to the doors that read them, and measure what each takes.

``python -m hostile.run DOOR`` prints a line of JSON per file, the fields of ``Found``. Linux only.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from hostile import fits_files, picture_files
from skylobe.core.errors import SkylobeError

READ, LOST = "Read", "No sentence: "


def images() -> Iterator[tuple[str, str, bytes]]:
    for kind in fits_files.KINDS:
        for name, data in kind():
            ending = ".fits.gz" if data.startswith(b"\x1f\x8b") else ".fits"
            yield f"{kind.__name__}: {name}", ending, data
    for kind, ending in picture_files.ENDINGS.items():
        for name, data in kind():
            yield f"{kind.__name__}: {name}", ending, data
    for name, data in picture_files.damaged():
        yield f"damaged: {name}", name[-4:], data


def read_upload(data: bytes, ending: str, folder: Path) -> object:
    from skylobe.app.uploads import receive

    return receive(data, f"a{ending}")


def read_file(data: bytes, ending: str, folder: Path) -> object:
    from skylobe.images.datasets import table

    path = folder / f"a{ending}"
    path.write_bytes(data)
    (folder / "t.csv").write_text(f"id,file\na,{path.name}\n")
    return table.load(folder / "t.csv")


DOORS: dict[str, tuple[Callable, Callable]] = {
    "upload": (images, read_upload),
    "file": (images, read_file),
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


def give(read: Callable, name: str, ending: str, data: bytes, folder: Path) -> Found:
    """Give a file to a door."""
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory begins anew
    before, spent, start = peak(), time.process_time(), time.monotonic()
    try:
        said = f"{READ} as {type(read(data, ending, folder)).__name__}."
    except SkylobeError as error:
        said = str(error)
    except BaseException as error:
        said = f"{LOST}{type(error).__name__}: {error}"
    spent, waited = time.process_time() - spent, time.monotonic() - start
    return Found(
        name, len(data), round(spent, 3), round(waited, 3), round(peak() - before, 1), said
    )


def peak() -> float:
    """Give the highest memory of this process so far, in MB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1000


def main(door: str) -> None:
    files, read = DOORS[door]
    with tempfile.TemporaryDirectory() as scratch:
        give(
            read, "", ".fits", fits_files.file(fits_files.PLAIN), Path(scratch)
        )  # loads what is needed
        for name, ending, data in files():
            print(json.dumps(astuple(give(read, name, ending, data, Path(scratch)))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
