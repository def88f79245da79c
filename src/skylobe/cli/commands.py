"""The commands, and which function of the library each of them calls.

A command reads its arguments, loads what they name, calls that one function, and prints. Nothing is
computed here. Modules that need torch are imported inside the functions, so that ``skylobe --help``,
which is made from these signatures and docstrings, is quick. They are named apart from the library's
functions because the parser looks their names up in the package, which would load the others.
"""

from skylobe.classify.settings import PredictSettings
from skylobe.cli.corpora import corpus_command, render_command
from skylobe.cli.data import cutout_command, fetch_command, surveys_command
from skylobe.cli.evaluate import evaluate_command, probe_command, reproduce_command
from skylobe.cli.info import info_command, quickstart_command
from skylobe.cli.inspect import duplicates_command, map_command, outliers_command
from skylobe.cli.options import Command
from skylobe.cli.search import index_command, search_command
from skylobe.cli.serve import serve_command
from skylobe.cli.train import finetune_command, pretrain_command
from skylobe.cli.use import convert_command, embed_command, predict_command
from skylobe.learning.settings import PretrainConfig
from skylobe.search.settings import MapSettings, SearchSettings, ServeSettings
from skylobe.sky.settings import CorpusDrawing, CorpusFetch, CutoutSettings

COMMANDS: dict[str, Command] = {
    "fetch": Command(fetch_command, "skylobe.images.corpora:fetch", True),
    "surveys": Command(surveys_command, "skylobe.sky.surveys:get"),
    "cutout": Command(cutout_command, "skylobe:cutout", True, {"settings": CutoutSettings}),
    "corpus": Command(
        corpus_command, "skylobe:fetch_corpus", True, {"settings": CorpusFetch}, makes_folder=True
    ),
    "render": Command(
        render_command, "skylobe:render", True, {"drawing": CorpusDrawing}, makes_folder=True
    ),
    "pretrain": Command(
        pretrain_command, "skylobe:pretrain", settings={"config": PretrainConfig}, makes_folder=True
    ),
    "embed": Command(embed_command, "skylobe:embed"),
    "probe": Command(probe_command, "skylobe.classify.probing:probe"),
    "finetune": Command(finetune_command, "skylobe:finetune", makes_folder=True),
    "evaluate": Command(evaluate_command, "skylobe:evaluate"),
    "predict": Command(predict_command, "skylobe:predict", settings={"settings": PredictSettings}),
    "convert": Command(convert_command, "skylobe.classify.export_onnx:export_onnx", True),
    "index": Command(index_command, "skylobe:index", makes_folder=True),
    "search": Command(search_command, "skylobe:search", settings={"settings": SearchSettings}),
    "duplicates": Command(duplicates_command, "skylobe.search.checks:duplicates", True),
    "outliers": Command(outliers_command, "skylobe.search.checks:outliers", True),
    "map": Command(map_command, "skylobe.search.mapping:draw_map", True, {"settings": MapSettings}),
    "serve": Command(serve_command, "skylobe.app.server:serve", True, {"settings": ServeSettings}),
    "reproduce": Command(
        reproduce_command,
        "skylobe.experiments.reproducing:reproduce",
        True,
        forget=("finished_only",),
    ),
    "quickstart": Command(quickstart_command, "skylobe.experiments.quickstart:run"),
    "info": Command(info_command, "skylobe.learning.about:about"),
}
