"""The commands as they are typed, on something small, each run by itself in a process with limits."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from conftest import lobes
from crash.jobs import classifier, model
from crash.killing import SERVER
from skylobe.classify.classifier import save_classifier
from skylobe.cli import main
from skylobe.models.embed import embed
from skylobe.models.model import save_model
from skylobe.search import latent_map
from skylobe.search.store import SourceIndex
from skylobe.sky.cutout import sky_wcs

N = 24
Limit = Callable[[], None]
TINY = ["--encoder.depth", "14", "--encoder.width", "8", "--views.crop_pix", "40"]
SHORT = ["--train.epochs", "2", "--train.batch_size", "12", "--train.precision", "fp32"]


def prepare(folder: Path) -> None:
    """Make what the commands read."""
    images = replace(
        lobes(N), positions=SkyCoord(np.full(N, 10.0), 20.0 + np.arange(N), unit="deg")
    )
    rows = [
        (name, f"{name}.npy", images.class_names[label], 10.0, 20.0 + row)
        for row, (name, label) in enumerate(zip(images.source_ids, images.labels, strict=True))
    ]
    for name, image in zip(images.source_ids, images.images.numpy(), strict=True):
        np.save(folder / f"{name}.npy", image[0].astype(np.float32))
    Table(rows=rows, names=["id", "file", "label", "ra", "dec"]).write(folder / "mine.csv")
    save_model(model(), folder / "model")
    save_classifier(classifier(0), folder / "classifier")
    index = SourceIndex.create(folder / "index", images, embed(model(), images), model())
    latent_map.of_index(index, method="pca")
    _prepare_sky(folder)


def _prepare_sky(folder: Path) -> None:
    """Make a mosaic, a table of components, and the sources of both."""
    (folder / "mosaics").mkdir()
    header = sky_wcs(SkyCoord(10, 20, unit="deg"), 1.8, (300, 300)).to_header()
    header["BUNIT"] = "Jy/beam"
    noise = np.random.default_rng(0).normal(0, 1e-4, (300, 300)).astype(np.float32)
    fits.PrimaryHDU(noise, header).writeto(folder / "mosaics" / "a.fits")
    (folder / "sources.csv").write_text("name,ra,dec\nA,10,20\n")
    names = "RA,DEC,Peak_flux,Total_flux,Isl_rms,DC_Maj,DC_Min,DC_PA"
    (folder / "found.csv").write_text(f"{names}\n10,20,0.01,0.01,1e-4,0,0,0\n")


def commands(read: Path, out: Path) -> dict[str, list[str]]:
    """Name the commands that write, each as it is typed.

    Args:
        read: What ``prepare`` made.
        out: Folder that all of them write to.
    """
    data, made = ["--data", str(read / "mine.csv")], ["--model", str(read / "model")]
    index, exclude = str(read / "index"), ["--exclude", "[]"]
    trained = ["--classifier", str(read / "classifier")]
    sky = ["--mosaics", str(read / "mosaics"), "--survey", "first", "--size", "60"]
    drawn = ["--components", str(read / "found.csv"), "--layout", "pybdsf", "--size_cut", "null"]
    drawn += ["--component_beam", "[6, 6, 0]", "--settings.noise", "null"]
    table = ["--tables", f'["{out / "table.fits"}"]']

    def to(name: str) -> list[str]:
        return ["--out", str(out / name)]

    return {
        "cutout": ["cutout", "10 20", *sky, *to("a.fits")],
        "corpus": ["corpus", str(read / "sources.csv"), *sky, *exclude, *to("corpus")],
        "render": ["render", str(read / "sources.csv"), *drawn, *exclude, *to("drawn")],
        "pretrain": ["pretrain", "--corpus", data[1], *TINY, *SHORT, *to("run")],
        "embed": ["embed", *data, *made, *to("e.parquet")],
        "probe": ["probe", *data, *made, "--n_seeds", "2", "--n_labels", "[6]", *to("p.csv")],
        "finetune": ["finetune", *data, *made, *to("mine")],
        "evaluate": ["evaluate", *trained, *data, "--seen", "count", *to("page.html")],
        "predict": ["predict", *data, *trained, *to("out.fits")],
        "index": ["index", *data, *made, *to("other")],
        "search": ["search", "--index", index, "--query", "synthetic-4", *to("g.png")],
        "duplicates": ["duplicates", index, "--similarity", "-1", *table],
        "outliers": ["outliers", index, *table],
        "map": ["map", index, "--method", "pca", "--read", "[]", "--colour", "dec", *to("m.png")],
    }


def run(argv: list[str], limit: Limit) -> tuple[int | None, list[str]]:
    """Run a command in a process of its own under a limit; give its exit code and the lines it prints.

    Args:
        argv: What is typed after ``skylobe``.
        limit: Called in the process before the command.
    """
    hearing, saying = SERVER.Pipe(duplex=False)  # which no limit of files is of
    child = SERVER.Process(target=_typed, args=(argv, saying, limit))
    child.start()
    saying.close()
    said = b"".join(iter(lambda: os.read(hearing.fileno(), 1 << 16), b""))
    child.join(120)
    return child.exitcode, said.decode().splitlines()


def _typed(argv: list[str], saying: Connection, limit: Limit) -> None:
    for stream in (1, 2):
        os.dup2(saying.fileno(), stream)
    saying.close()
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", closefd=False) for stream in (1, 2))
    limit()
    sys.exit(main.main(argv))
