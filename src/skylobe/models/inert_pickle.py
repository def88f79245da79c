"""A pickle of tensors read without running what is in it."""

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from skylobe.core.errors import CheckpointError, UnsafePickleError

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
