"""How the processor computes: bf16 where it is native, and no denormal numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch


def computes_in_bf16(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> bool:
    """Tell whether to multiply in bf16; ``auto`` does where the processor can."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capable = torch.cpu.get_capabilities()
    return bool(capable.get("avx512_bf16", False) or capable.get("amx_bf16", False))


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Round numbers below 1e-38 to 0: on the empty sky of rendered fields they slow a CPU tenfold.

    Threads that torch started before keep their own setting: enter this before the first computation.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
