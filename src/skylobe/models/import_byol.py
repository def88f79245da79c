"""The authors' released checkpoint to a ``Model``, without running the code that a pickle is.

A Lightning checkpoint is a zip of raw tensors beside a pickle that may name any class of any
package. Only the pickle's tensors and plain containers are rebuilt here; every other class or
function it names becomes an inert stand-in that is never imported. Nothing is written back.
"""

import io
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core.errors import CheckpointError, UnsafePickleError
from skylobe.models.encoder import Encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing

# the authors' code hard-codes these two; crop as in the paper, Table 1
RELEASED_PREPROCESSING = Preprocessing(
    survey="VLA FIRST", crop_pix=70, mean=0.008008896, std=0.05303395
)
STORAGE_TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "BoolStorage": torch.bool,
}
# No list is needed for safety, since nothing named is ever imported; these names deserve a warning.
ALARMING_MODULES = {
    "commands",
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "ctypes",
    "runpy",
}
ALARMING_BUILTINS = {"eval", "exec", "compile", "open", "__import__", "breakpoint", "input"}
# what reading a damaged file ends in
DAMAGE = (
    pickle.UnpicklingError,
    *(OSError, EOFError, RuntimeError, LookupError, ValueError, TypeError, AttributeError),
)
KEY = re.compile(
    r"(?P<prefix>(?:.*\.)?)(?P<copy>layers|finetuning_layers)\.(?P<unit>\d+)\.(?P<rest>.+)"
)
UNITS = ("stem", *(f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)))
STEM = {"0": "conv1", "1": "bn1"}


def import_byol(path: Path, *, name: str = "byol-released") -> Model:
    """Read the authors' ``byol.ckpt`` into an encoder with its preprocessing.

    Args:
        path: The checkpoint; its file is read, none of its code is run.
        name: Name of the model.

    Raises:
        CheckpointError: If it is not that checkpoint, or is damaged.
        UnsafePickleError: If its pickle names something that no checkpoint needs, such as a shell.

    Source: the layout of the released file; the ``paper`` stem at depth 18.
    """
    content = read_checkpoint(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path}: has no state_dict; give the byol.ckpt that the authors released."
        )
    encoder = Encoder(EncoderConfig(depth=18, stem="paper"))
    weights = encoder_weights(state, path)
    expected = encoder.state_dict()
    wrong = sorted(set(weights) ^ set(expected)) or sorted(
        key for key, tensor in weights.items() if tensor.shape != expected[key].shape
    )
    if wrong:
        raise CheckpointError(
            f"{path}: {wrong[0]} is missing, unknown or of another shape; only the ResNet-18 with "
            "a 3×3 stem that the authors released can be read."
        )
    encoder.load_state_dict(weights)
    return Model(
        name=name,
        encoder=encoder.eval(),
        preprocessing=RELEASED_PREPROCESSING,
        provenance={"source": f"imported from {path.name}", "tensors": len(weights)},
        card=f"# {name}\n\nThe encoder released with Slijepcevic et al. 2024, unchanged.\n",
    )


def encoder_weights(state: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """Give the online encoder's tensors our names; its two copies must agree.

    Args:
        state: The checkpoint's tensors by name: ``layers.UNIT.…`` and ``finetuning_layers.UNIT.…``
            after any prefix; heads and the target network are left out.
        path: Names the file in errors.
    """
    copies: dict[str, dict[str, Tensor]] = {"layers": {}, "finetuning_layers": {}}
    prefixes = set()
    for key, tensor in state.items():
        match = KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None or "momentum" in match["prefix"] or not isinstance(tensor, Tensor):
            continue
        prefixes.add(match["prefix"])
        copies[match["copy"]][_our_name(int(match["unit"]), match["rest"], path)] = tensor
    first, second = copies.values()
    if not first or len(prefixes) != 1:
        raise CheckpointError(
            f"{path}: holds {len(prefixes)} encoders in the layout of the released checkpoint and "
            "must hold one; give the byol.ckpt that the authors released."
        )
    differing = [
        key for key in first if key not in second or not torch.equal(first[key], second[key])
    ]
    if differing or len(first) != len(second):
        raise CheckpointError(
            f"{path}: the two copies of the encoder differ ({(differing or ['count'])[0]}); the "
            "file is damaged or was trained further, download it again."
        )
    return first


def _our_name(unit: int, rest: str, path: Path) -> str:
    """Name a tensor of unit 0 (the stem) or 1–8 (the blocks) as torchvision does."""
    if unit >= len(UNITS):
        raise CheckpointError(
            f"{path}: has an encoder of more than {len(UNITS)} units; only ResNet-18 can be read."
        )
    if unit:
        return f"{UNITS[unit]}.{rest}"
    place, _, parameter = rest.partition(".")
    return f"{STEM.get(place, place)}.{parameter}"


def read_checkpoint(path: Path) -> Any:  # noqa: ANN401  (whatever the pickle holds)
    """Rebuild a checkpoint's tensors and plain containers; anything else becomes a stand-in.

    Raises:
        CheckpointError: If it is not a zip written by ``torch.save``, or is damaged.
        UnsafePickleError: If its pickle names something that no checkpoint needs, such as a shell.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return InertUnpickler(archive, path).load()
    except zipfile.BadZipFile:
        raise CheckpointError(
            f"{path}: not a torch checkpoint in the zip format, or only part of one; download "
            "byol.ckpt again."
        ) from None
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; give the path of byol.ckpt.") from None
    except DAMAGE as error:
        raise CheckpointError(
            f"{path}: damaged ({type(error).__name__}: {error}); download byol.ckpt again."
        ) from None


class InertUnpickler(pickle.Unpickler):
    """A reader of torch's zip files that imports nothing and calls nothing it finds named in them.

    Args:
        archive: The open checkpoint.
        path: Names the file in errors.
    """

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        entries = [name for name in archive.namelist() if name.endswith("data.pkl")]
        if len(entries) != 1:
            raise CheckpointError(
                f"{path}: a zip, but not one that torch wrote; give the path of byol.ckpt."
            )
        super().__init__(io.BytesIO(archive.read(entries[0])))
        self.archive, self.path = archive, path
        self.folder = entries[0].removesuffix("data.pkl")

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  (as the base class)
        """Give our own function for what rebuilds tensors, a stand-in for everything else."""
        alarming = ALARMING_BUILTINS if module in ("builtins", "__builtin__") else set()
        if module.split(".")[0] in ALARMING_MODULES or name in alarming:
            raise UnsafePickleError(
                f"{self.path}: its pickle names {module}.{name}, which no checkpoint needs; "
                "nothing was run. Do not open the file elsewhere, and download byol.ckpt again."
            )
        if module == "torch" and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        return REBUILT.get((module, name), StandIn)

    def persistent_load(self, pid: Any) -> Tensor:  # noqa: ANN401  (as the base class)
        """Read the numbers of one storage."""
        _, dtype, key, _, length = pid
        raw = bytearray(self.archive.read(f"{self.folder}data/{key}"))
        return torch.frombuffer(raw, dtype=dtype, count=length) if raw else torch.empty(0)


class StandIn:
    """What an unknown class or function becomes: it keeps nothing and does nothing."""

    def ignore(self, *_: object, **__: object) -> None:
        """Take whatever a pickle may hand to an object."""

    __init__ = __call__ = __setstate__ = __setitem__ = ignore
    append = extend = add = update = ignore

    def __new__(cls, *_: object, **__: object) -> "StandIn":
        """Be made with any arguments."""
        return super().__new__(cls)


def _rebuild_tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _rebuild_parameter(tensor: Tensor, *_: object) -> Tensor:
    return tensor


REBUILT = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
}
