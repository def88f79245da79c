"""One model's features by timm and by skylobe: ``beside_timm.py WHEEL MODEL_FOLDER``, silent if equal.

In a process of its own: timm imports torchvision, of which there is no wheel for every torch, so its
place is taken by modules in which every name is an empty class. The ResNet uses none of them.
"""

import importlib.abc
import importlib.machinery
import sys
import types
from pathlib import Path

MODES = ("NEAREST", "BILINEAR", "BICUBIC", "BOX", "HAMMING", "LANCZOS")


class Empty(types.ModuleType):
    __path__: tuple[str, ...] = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {mode: mode for mode in MODES})


class InPlaceOfTorchvision(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Empty(spec.name)

    def exec_module(self, module):
        pass


def main(wheel, folder):
    sys.meta_path.insert(0, InPlaceOfTorchvision())
    sys.path.insert(0, wheel)
    import safetensors.torch
    import timm
    import torch

    from skylobe.models.loading import load_model

    torch.set_num_threads(1)
    theirs = timm.create_model("resnet18", in_chans=1, num_classes=0).eval()
    theirs.load_state_dict(safetensors.torch.load_file(Path(folder) / "model.safetensors"))
    images = torch.rand(5, 1, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(theirs(images), load_model(folder).encoder(images))


if __name__ == "__main__":
    main(*sys.argv[1:])
