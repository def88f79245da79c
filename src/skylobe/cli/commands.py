"""What each command does: it loads, calls the function that does the work, and prints.

Nothing is computed here. Modules that need torch are imported inside the functions, so that
``skylobe --help``, which is made from these signatures and docstrings, is quick.
"""

from collections.abc import Callable

from skylobe.cli.data import corpus, cutout, fetch, render, surveys
from skylobe.cli.evaluate import evaluate, probe, reproduce
from skylobe.cli.info import info, quickstart
from skylobe.cli.search import draw_map, duplicates, index, outliers, search
from skylobe.cli.serve import serve
from skylobe.cli.train import finetune, pretrain
from skylobe.cli.use import convert, embed_set, predict

POSITIONAL = (
    "fetch",
    "reproduce",
    "cutout",
    "corpus",
    "render",
    "duplicates",
    "outliers",
    "map",
    "convert",
    "serve",
)  # commands whose first argument has no option's name
COMMANDS: dict[str, Callable[..., None]] = {
    "fetch": fetch,
    "surveys": surveys,
    "cutout": cutout,
    "corpus": corpus,
    "render": render,
    "pretrain": pretrain,
    "embed": embed_set,
    "probe": probe,
    "finetune": finetune,
    "evaluate": evaluate,
    "predict": predict,
    "convert": convert,
    "index": index,
    "search": search,
    "duplicates": duplicates,
    "outliers": outliers,
    "map": draw_map,
    "serve": serve,
    "reproduce": reproduce,
    "quickstart": quickstart,
    "info": info,
}
