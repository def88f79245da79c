"""The command line: parser, config files, exit codes; the other modules here do the work."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace, get_loader

import skylobe
from skylobe.cli.commands import COMMANDS, POSITIONAL
from skylobe.cli.train import pretrain
from skylobe.core.errors import ConfigError, SkylobeError
from skylobe.learning.recipes import RECIPES, recipe
from skylobe.learning.settings import PretrainConfig

PARTS = [field.name for field in dataclasses.fields(PretrainConfig)]
DEFAULT_RECIPE = "skylobe"
INTERRUPTED = 130  # exit code of a command stopped with Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; an error is one sentence on stderr and its class's exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        parser = build_parser(_chosen_recipe(arguments))
        parsed = parser.parse_args(arguments)
        _run(parser, parsed)
    except SystemExit as stop:  # --help, --version, --print_config
        return int(stop.code or 0)
    except SkylobeError as error:
        print(f"skylobe: {error}", file=sys.stderr)
        return error.exit_code
    except argparse.ArgumentError as error:
        print(f"skylobe: {_one_line(str(error))}; see --help.", file=sys.stderr)
        return ConfigError.exit_code
    except KeyboardInterrupt:
        print("skylobe: stopped; run the same command again to go on.", file=sys.stderr)
        return INTERRUPTED
    return 0


def build_parser(recipe_name: str = DEFAULT_RECIPE) -> ArgumentParser:
    """Make the parser of all commands from their signatures and docstrings.

    Args:
        recipe_name: Recipe whose settings are the defaults of ``pretrain``.
    """
    parser = ArgumentParser(
        prog="skylobe",
        description="Self-supervised models of radio galaxies: few labels, similarity search.",
        version=f"skylobe {skylobe.__version__}",
        exit_on_error=False,
    )
    commands = parser.add_subcommands(dest="command")
    for name, function in COMMANDS.items():
        summary, _, _ = (function.__doc__ or "").partition("\n")
        command = ArgumentParser(description=summary, exit_on_error=False)
        command.add_argument("--config", action="config", help="YAML file of these options.")
        if function is pretrain:
            _add_recipe(command, recipe_name)
        command.add_function_arguments(
            function, as_group=False, as_positional=name in POSITIONAL, skip={"config"}
        )
        commands.add_subcommand(name, command, help=summary)
    return parser


def _add_recipe(command: ArgumentParser, name: str) -> None:
    """Offer every field of a pre-training config, with a recipe's values as defaults."""
    settings = recipe(name)
    command.add_argument(
        "--recipe",
        type=str,
        default=name,
        help=f"Settings to start from: {' or '.join(RECIPES)}; files and options change them.",
    )
    command.add_class_arguments(PretrainConfig)
    command.set_defaults(dict(_flat(settings)))


def _flat(settings: PretrainConfig) -> Iterator[tuple[str, object]]:
    """List a config's values by the name of their option."""
    for part in PARTS:
        value = getattr(settings, part)
        if dataclasses.is_dataclass(value):
            yield from ((f"{part}.{name}", one) for name, one in vars(value).items())
        else:
            yield part, value


def _chosen_recipe(arguments: Sequence[str]) -> str:
    """Look for the recipe, on the command line or in a config file, before parsing the rest."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--recipe")
    early.add_argument("--config", type=Path)
    found, _ = early.parse_known_args(arguments)
    chosen = found.recipe
    if chosen is None and found.config is not None and found.config.is_file():
        try:
            content = get_loader("yaml")(found.config.read_text(encoding="utf-8"))
        except Exception:  # whatever the loader raises
            raise ConfigError(f"{found.config}: not a YAML file; correct or remove it.") from None
        chosen = content.get("recipe") if isinstance(content, dict) else None
    return str(chosen or DEFAULT_RECIPE)


def _run(parser: ArgumentParser, parsed: Namespace) -> None:
    options = vars(parser.instantiate(parsed)[parsed.command])
    del options["config"]
    if parsed.command == "pretrain":
        options["config"] = PretrainConfig(**{part: options.pop(part) for part in PARTS})
        del options["recipe"]
    COMMANDS[parsed.command](**options)


def _one_line(message: str) -> str:
    """Squeeze the parser's message into a line that names options as they are typed."""
    line = " ".join(message.split()).rstrip(".")
    line = re.sub(r'Parser key "([^"]+)":', r"--\1:", line)
    line = re.sub(rf"\b({'|'.join(COMMANDS)})\.(\w+)", r"--\2", line)
    return re.sub(r"a <class '(\w+)'>", r"\1", line).replace("a typing.Literal", "one of ")
