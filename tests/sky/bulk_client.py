"""A process that fills a corpus from a loopback server, to be killed: folder, address, sources, seed."""

import sys
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord

from skylobe.sky import surveys
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.fill import FillConfig, fill
from skylobe.sky.corpus.store import Corpus, CorpusSettings
from skylobe.sky.cutout import Cutout
from skylobe.sky.fetching import fetcher
from skylobe.sky.services.http import Patience
from skylobe.sky.sources import SourceList

WIDTH_PIX, PIXEL_SCALE = 12, 15.0
CONFIG = FillConfig(
    concurrency=16, per_second=1e5, attempts=3, backoff=0.01, longest_wait=0.05, batch_size=128
)


def sources(n: int) -> SourceList:
    """Spread positions over what NVSS saw, the pole and right ascension 0 among them."""
    golden = np.arange(n) * 137.50776405 % 360
    dec = np.degrees(np.arcsin(np.linspace(np.sin(np.radians(-39)), 1, n)))
    names = np.array([f"S{number:05d}" for number in range(n)])
    return SourceList(names, SkyCoord(golden, dec, unit="deg"), np.full(n, np.nan))


def open_corpus(folder: Path) -> Corpus:
    settings = CorpusSettings("NVSS", WIDTH_PIX, PIXEL_SCALE)
    return Corpus.create(folder, settings, Exclusion.of_nothing())


def run(folder: Path, url: str, n: int) -> None:
    """Fill, every other source from the other service."""
    survey = surveys.get("nvss")
    addresses = {
        "hips2fits": url + "/hips-image-services/hips2fits",
        "skyview": url + "/current/cgi/runquery.pl",
    }

    ask = [
        fetcher(
            survey,
            WIDTH_PIX,
            PIXEL_SCALE,
            service=name,
            base_url=address,
            patience=Patience((2.0, 0.5), 2.0),
        )
        for name, address in addresses.items()
    ]

    def fetch(source_id: str, position: SkyCoord) -> Cutout:
        return ask[int(source_id[1:]) % 2](source_id, position)

    fill(open_corpus(folder), sources(n), fetch, CONFIG)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
