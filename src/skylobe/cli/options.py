"""What the commands share: options of data sets, commands with their settings, a call as it is typed."""

import dataclasses
import inspect
import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skylobe.images.image_set import ImageSet
    from skylobe.models.model import Model

Value = bool | int | float | str | list[Any] | dict[str, Any] | None
WRITTEN = ("out", "preview", "scores", "tables", "tags")  # options that name what is written
Options = dict[str, Value]  # of a data set or a budget; what takes them says which there are


def loaded(
    data: str,
    options: Options | None,
    split: str | None = None,
    model: "Model | None" = None,
    *,
    skip_broken: bool = False,
) -> "ImageSet":
    """Load the set that a command names.

    Args:
        data: Its name, or a path.
        options: Of the set; ``split`` may be one of them.
        split: The same as an option of the command.
        model: That will look at it, with its scaling.
        skip_broken: Leave out files that cannot be used, and say why.
    """
    import skylobe

    given: dict[str, Any] = dict(options or {})
    if split is not None:
        given["split"] = split
    if model is None:
        return skylobe.load(data, **given)
    given.setdefault("skip_broken", skip_broken)
    from skylobe.models.inputs import images_for

    return images_for(model.preprocessing, data, **given)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the terminal.

    Args:
        function: Reads its arguments, calls one function of the library, prints.
        calls: That function, as ``module:name``.
        is_positional: Whether its first argument has no option's name.
        settings: Records of settings by the name of the argument that takes them; their fields are options
            like the function's own arguments.
        forget: Options that are left out where the call is written down.
        makes_folder: Whether its ``out`` is a folder.
    """

    function: Callable[..., None]
    calls: str
    is_positional: bool = False
    settings: Mapping[str, type] = dataclasses.field(default_factory=dict)
    forget: tuple[str, ...] = ()
    makes_folder: bool = False

    @property
    def own(self) -> dict[str, inspect.Parameter]:
        """The function's arguments that are options."""
        parameters = inspect.signature(self.function).parameters
        hidden = {*self.settings, "typed"}
        return {name: one for name, one in parameters.items() if name not in hidden}

    def call(self, options: dict[str, Any]) -> None:
        """Call the function with what was parsed, if what it writes can be written."""
        self._insist_on_places(options)
        given = {
            name: _unfolded(one) if isinstance(one, dict) else one for name, one in options.items()
        }
        for name, kind in self.settings.items():
            fields = [field.name for field in dataclasses.fields(kind)]
            given[name] = kind(**{field: given.pop(field) for field in fields})
        for name in {"config", "recipe"} - set(inspect.signature(self.function).parameters):
            given.pop(name, None)  # read already
        if "typed" in inspect.signature(self.function).parameters:
            given["typed"] = self.typed(options)
        self.function(**given)

    def _insist_on_places(self, options: Mapping[str, Any]) -> None:
        """Refuse places that cannot be written before time is spent on what would go there."""
        from skylobe.core import storage  # which help does not need

        for name in WRITTEN:
            found = options.get(name)
            for path in found if isinstance(found, list | tuple) else [found]:
                if path is not None and name == "out" and self.makes_folder:
                    storage.insist_on_folder(Path(path))
                elif path is not None:
                    storage.insist_on_file(Path(path))

    def typed(self, options: Mapping[str, Any]) -> str:
        """Write a call as it is typed, without options that are as by default."""
        words = ["skylobe", self.function.__name__.removesuffix("_command")]
        defaults = {name: one.default for name, one in self.own.items()}
        for kind in self.settings.values():
            defaults |= {name: getattr(kind(), name) for name in _fields(kind)}
        for name, value in options.items():
            if name in (*self.forget, "config") or value == defaults.get(
                name, inspect.Parameter.empty
            ):
                continue
            if self.is_positional and name == next(iter(self.own)):
                words.append(str(value))
                continue
            for key, one in value.items() if isinstance(value, dict) else [(None, value)]:
                text = str(one) if isinstance(one, str | Path) else json.dumps(one)
                words += [f"--{name}" + (f".{key}" if key else ""), text]
        return shlex.join(words)


def _unfolded(options: Options) -> Options:
    """Put ``{"scaling.method": "asinh"}`` as ``{"scaling": {"method": "asinh"}}``.

    >>> _unfolded({"scaling.method": "asinh", "scaling.n_sigma": 2, "subset": "all"})
    {'scaling': {'method': 'asinh', 'n_sigma': 2}, 'subset': 'all'}
    """
    made: Options = {}
    for name, value in options.items():
        first, _, rest = name.partition(".")
        inner = made.get(first)
        made[first] = {**(inner if isinstance(inner, dict) else {}), rest: value} if rest else value
    return made


def _fields(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]
