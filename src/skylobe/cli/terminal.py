"""Records to tables on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from astropy.table import QTable

    from skylobe.classify.evaluating import Evaluation
    from skylobe.images.image_set import ImageSet
    from skylobe.scores.curves import CurvePoint
    from skylobe.sky.corpus.selection import Step
    from skylobe.sky.surveys import Survey


def say(text: str) -> None:
    """Print a line as it is, however long."""
    Console().print(text, soft_wrap=True, highlight=False, markup=False)


def steps(taken: "Sequence[Step]") -> Table:
    """Tabulate a selection: what each step took out and left."""
    lines = [(one.name, f"{one.removed:,}", f"{one.left:,}") for one in taken]
    return rows(("step", "removed", "left"), lines)


def facts(named: dict[str, Any]) -> Table:
    """Tabulate names and values."""
    table = Table(show_header=False, box=box.SIMPLE)
    for name, value in named.items():
        table.add_row(name, str(value))
    return table


def rows(columns: Sequence[str], lines: Sequence[tuple[str, ...]]) -> Table:
    """Tabulate names and numbers."""
    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, justify="right" if table.columns else "left")
    for line in lines:
        table.add_row(*line)
    return table


def evaluation(found: "Evaluation") -> None:
    """Print what an evaluation gave."""
    from skylobe.classify import sentences

    console = Console()
    console.print(facts(sentences.facts(found.score)))
    console.print(rows(sentences.CLASS_COLUMNS, sentences.class_rows(found.score)))
    if found.curves is not None:
        console.print(errors(found.curves.points, intervals=False))


def errors(curves: "dict[str, list[CurvePoint]]", *, intervals: bool = True) -> Table:
    """Tabulate errors: a row per count of labels, one or two columns per model."""
    table = Table("labels", box=box.SIMPLE)
    table.columns[0].justify = "right"
    for name in curves:
        table.add_column(f"{name}: error", justify="right")
        if intervals:
            table.add_column("interval", justify="right")
    for row in zip(*curves.values(), strict=True):
        cells = [str(row[0].n_labels)]
        for point in row:
            low, high = point.interval
            spread = f" ± {point.standard_error:.2f}" if len(point.errors) > 1 else ""
            cells.append(f"{point.mean:.2f}{spread}")
            if intervals:
                cells.append(f"{low:.1f}–{high:.1f}")
        table.add_row(*cells)
    return table


def sources(table: "QTable", columns: Sequence[str]) -> Table:
    """Tabulate sources by some of their columns, those that they have; unknown numbers are empty."""
    shown = [name for name in columns if name in table.colnames]
    if "entries" in shown and all(one == 1 for one in table["entries"]):
        shown.remove("entries")
    lines = [tuple(_cell(name, row[name]) for name in shown) for row in table]
    made = rows([HEADS.get(name, name.replace("_", " ")) for name in shown], lines)
    made.collapse_padding, made.pad_edge = True, False  # eight columns in 80 letters
    for column in made.columns:
        column.no_wrap = True  # an id that is cut or broken can be asked for by nobody
    return made


HEADS = {
    "similarity": "S",
    "mean_similarity": "mean S",
    "size_arcsec": "size ″",
    "separation_arcsec": "apart",
}
DIGITS = {"similarity": 4, "mean_similarity": 4, "ra": 3, "dec": 3}


def _cell(name: str, value: Any) -> str:  # noqa: ANN401  (a number, a quantity or text)
    number = getattr(value, "value", value)
    if not isinstance(number, float):
        return str(number)
    if number != number:
        return ""
    if name != "separation_arcsec":
        return f"{number:.{DIGITS.get(name, 1)}f}"
    from skylobe.sky.angles import angle_text  # which loads more than help needs

    return angle_text(number)


def surveys(listed: "Sequence[Survey]") -> Table:
    """Tabulate surveys: frequency, beam, pixel scale and where cut-outs come from."""
    table = rows(("survey", "MHz", "beam ″", "pixel ″", "service"), [])
    table.columns[4].justify = "left"
    for one in listed:
        service = one.hips or (f"SkyView: {one.skyview}" if one.skyview else "mosaics on disk")
        numbers = (f"{n:g}" for n in (one.frequency, one.beam, one.pixel_scale))
        table.add_row(one.name, *numbers, service)
    return table


def survey(one: "Survey") -> Table:
    """Tabulate all that is known of a survey, and where it was read."""
    named = {
        "survey": f"{one.title} ({one.name})",
        "frequency": f"{one.frequency:g} MHz",
        "beam": f"{one.beam:g}″",
        "pixel scale": f"{one.pixel_scale:g}″",
        "HiPS": one.hips or "none known",
        "SkyView": one.skyview or "none known",
        "unit": one.unit,
        "notes": one.notes or "none",
        "cite": one.citation,
        "acknowledge": one.acknowledgement,
    }
    return facts(named | {f"source of {part}": text for part, text in one.sources.items()})


def counts(image_set: "ImageSet") -> Table:
    """Tabulate sources per class and published split."""
    import numpy as np

    from skylobe.images.image_set import SPLITS

    every = np.ones(len(image_set), dtype=bool)
    columns = {}
    if image_set.splits is not None:
        columns = {split: image_set.splits == split for split in SPLITS}
    columns = {split: found for split, found in columns.items() if found.any()} | {"all": every}
    rows = {}
    if image_set.labels is not None:
        rows = {name: image_set.labels == one for one, name in enumerate(image_set.class_names)}
    table = Table("class", box=box.SIMPLE)
    for split in columns:
        table.add_column(split, justify="right")
    for name, of_class in (rows | {"all": every}).items():
        table.add_row(name, *(f"{(of_class & of_split).sum():,}" for of_split in columns.values()))
    return table
