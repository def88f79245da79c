"""The command line: parser, config files, exit codes; the commands are in the other modules here."""

import argparse
import dataclasses
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, DefaultHelpFormatter, get_loader

import skylobe
from skylobe.cli.commands import COMMANDS
from skylobe.cli.messages import in_options, one_line, plain_types, underscored
from skylobe.cli.options import Command
from skylobe.cli.plain import speak_plainly
from skylobe.core import disk
from skylobe.core.errors import ConfigError, DeviceMemoryError, SkylobeError
from skylobe.learning.recipes import RECIPES, recipe
from skylobe.learning.settings import PretrainConfig

DEFAULT_RECIPE = "skylobe"
INTERRUPTED = 130  # exit code of a command stopped with Ctrl-C
NOBODY_READS = 141  # exit code of one whose reader has gone, as head does
# of torch, the loader of libraries, libraries written in Rust, and Python where an allocation fails unsaid
NO_MEMORY = re.compile(
    "can't allocate memory|failed to map segment|[Cc]annot allocate memory|exception set$"
)
FEWER = "The memory is full; close other programs, or give the command fewer sources at once."
RESUMED = (
    "fetch",
    "corpus",
    "render",
    "pretrain",
    "predict",
    "reproduce",
)  # what keeps finished parts


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; an error is one sentence on stderr and its class's exit code."""
    speak_plainly(sys.stdout, sys.stderr)
    arguments = list(map(underscored, sys.argv[1:] if argv is None else argv))
    command = ""
    try:
        parser = build_parser(_chosen_recipe(arguments))
        parsed = parser.parse_args(arguments)
        command = parsed.command
        options = vars(parser.instantiate(parsed)[command])
        COMMANDS[command].call(options)
    except SystemExit as stop:  # --help, --version, --print_config
        return int(stop.code or 0)
    except SkylobeError as error:
        own = _options(command) if command else set()
        every = set().union(*map(_options, COMMANDS))
        print(f"skylobe: {in_options(str(error), every, own, COMMANDS)}", file=sys.stderr)
        return error.exit_code
    except argparse.ArgumentError as error:
        print(f"skylobe: {one_line(str(error), COMMANDS)}; see --help.", file=sys.stderr)
        return ConfigError.exit_code
    except KeyboardInterrupt:
        how = "go on" if command in RESUMED else "begin anew"
        print(f"skylobe: stopped; run the same command again to {how}.", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        return _refused(error)
    return 0


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """List an error and what it came from, which may be what the system refused."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refused(error: Exception) -> int:
    """Say what the system refused where no part of the library saw it; raise what is a fault of ours."""
    if isinstance(error, BrokenPipeError):  # whoever read what is printed has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    if any(isinstance(one, MemoryError) or NO_MEMORY.search(str(one)) for one in causes_of(error)):
        print(f"skylobe: {FEWER}", file=sys.stderr)
        return DeviceMemoryError.exit_code
    place = getattr(error, "filename", None) or "The output"
    refused = disk.refusal(Path(place), error)
    if refused is None:
        raise error
    print(f"skylobe: {refused}", file=sys.stderr)
    return refused.exit_code


class PlainHelp(DefaultHelpFormatter):
    """Help without Python's own words for types."""

    def _expand_help(self, action: argparse.Action) -> str:
        return plain_types(super()._expand_help(action))


def build_parser(recipe_name: str = DEFAULT_RECIPE) -> ArgumentParser:
    """Make the parser of all commands from their signatures and docstrings.

    Args:
        recipe_name: Recipe whose settings are the defaults of ``pretrain``.
    """
    parser = ArgumentParser(
        prog="skylobe",
        description="Self-supervised models of radio galaxies: few labels, similarity search.",
        version=skylobe.__version__,
        formatter_class=PlainHelp,
        exit_on_error=False,
    )
    commands = parser.add_subcommands(dest="command")
    for name, command in COMMANDS.items():
        summary, _, _ = (command.function.__doc__ or "").partition("\n")
        made = _parser_of(command, summary)
        if PretrainConfig in command.settings.values():
            _start_from(made, recipe_name)
        commands.add_subcommand(name, made, help=summary)
    return parser


def _parser_of(command: Command, summary: str) -> ArgumentParser:
    """Offer a command's own arguments, and the fields of the records of settings that it takes."""
    made = ArgumentParser(description=summary, exit_on_error=False, formatter_class=PlainHelp)
    made.add_argument("--config", action="config", help="YAML file of these options.")
    made.add_function_arguments(
        command.function,
        as_group=False,
        as_positional=command.is_positional,
        skip={"typed", *command.settings},
    )
    for kind in command.settings.values():
        made.add_class_arguments(kind, as_group=False)
    return made


def _start_from(command: ArgumentParser, name: str) -> None:
    """Give the fields of a pre-training config a recipe's values as defaults."""
    command.add_argument(
        "--recipe",
        type=str,
        default=name,
        help=f"Settings to start from: {' or '.join(RECIPES)}; files and options change them.",
    )
    command.set_defaults(dict(_flat(recipe(name))))


def _flat(settings: PretrainConfig) -> Iterator[tuple[str, object]]:
    """List a config's values by the name of their option."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from ((f"{field.name}.{name}", one) for name, one in vars(value).items())
        else:
            yield field.name, value


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


def _options(command: str) -> set[str]:
    """Name the options of a command, fields of nested records with their dots."""
    names = set(COMMANDS[command].own)
    for kind in COMMANDS[command].settings.values():
        names |= {field.name for field in dataclasses.fields(kind)}
        if kind is PretrainConfig:
            names |= {name for name, _ in _flat(recipe(DEFAULT_RECIPE))}
    return names
