"""Commands that bring data: labelled sets, sources of the sky, corpora."""

from pathlib import Path

from rich.console import Console

from skylobe import terminal
from skylobe.commands.shared import Options


def fetch(name: str, root: Path | None = None, options: Options | None = None) -> None:
    """Make a data set available in the cache and count what it holds.

    Args:
        name: Name of the set, such as mirabest, first_galaxies, frdeep; or a table of your own.
        root: Folder searched first.
        options: Of the set, such as --options.subset confident.
    """
    from skylobe import datasets

    image_set = datasets.load(name, root=root, **(options or {}))
    console = Console()
    height, width = image_set.images.shape[2:]
    console.print(
        f"{image_set.name}: {len(image_set):,} images of {height}×{width} pixels, "
        f"{image_set.survey}",
        soft_wrap=True,
        highlight=False,
    )
    console.print(terminal.counts(image_set))
    console.print(f"Cite: {image_set.citation or 'unknown'}", soft_wrap=True)
    console.print(f"Licence: {image_set.licence or 'unknown'}", soft_wrap=True)
