"""What ``train.compile`` hands to the compiler, in bf16: one whole graph each way, no batch norm left.

Outside pytest, because compilers cannot look through the checks that pytest puts on signatures. The
compiler itself is not run: the graphs are counted as it would get them, with the default compiler's own
way to take batch norm apart into sums and products, which it can fuse with ReLU and the shortcut's
addition.
"""

import torch
from functorch.compile import make_boxed_func
from torch import nn
from torch._dynamo.backends.common import aot_autograd
from torch._inductor.decomposition import select_decomp_table

from skylobe.learning.methods import build_method
from skylobe.learning.settings import ByolConfig, PretrainConfig
from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig


def graphs_of(
    method: nn.Module, views: list[torch.Tensor], measures: torch.Tensor
) -> dict[str, list[list[str]]]:
    """Name the operators of every graph, forward and backward; a graph break is an error."""
    found = {"forward": [], "backward": []}

    def keep(way):
        def compiler(graph, _inputs):
            nodes = [node for node in graph.graph.nodes if node.op == "call_function"]
            found[way].append([str(node.target) for node in nodes])
            return make_boxed_func(graph.forward)

        return compiler

    table = select_decomp_table()
    backend = aot_autograd(
        fw_compiler=keep("forward"),
        bw_compiler=keep("backward"),
        decompositions={op: parts for op, parts in table.items() if "batch_norm" in str(op)},
    )
    method.compile(backend=backend, fullgraph=True, dynamic=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        method(views, measures).backward()
    return found


def main() -> None:
    """Check both stems, and a method that draws at each step."""
    torch.set_num_threads(1)
    byol = ByolConfig(projector_hidden=16, projection=8, predictor_hidden=16)
    for stem, name in (("fast", "byol"), ("paper", "byol"), ("fast", "lejepa")):
        torch._dynamo.reset()
        shape = EncoderConfig(depth=14, stem=stem, width=8)
        config = PretrainConfig(encoder=shape, byol=byol, method=name)
        method = build_method(build_encoder(shape), config, n_measures=5)
        method = method.to(memory_format=torch.channels_last)
        found = graphs_of(method, list(torch.rand(2, 6, 1, 32, 32)), torch.rand(6, 5))
        for way, graphs in found.items():
            assert len(graphs) == 1, f"{stem}, {way}: {len(graphs)} graphs"
            left = {name for name in graphs[0] if "batch_norm" in name}
            assert not left, f"{stem}, {way}: {left} would not be fused with what follows"
            assert any("convolution" in name for name in graphs[0])


if __name__ == "__main__":
    main()
