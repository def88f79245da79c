"""Files of models, classifiers, indexes and tags that were changed to harm whoever opens the folder."""

import json
import struct
from collections.abc import Iterator

import numpy as np

Files = Iterator[tuple[str, bytes]]
VALUES = (None, -1, 0, 10**12, 1e300, float("nan"), "x", "../../x", [], {}, True, [[[[1]]]])


def jsons(good: bytes) -> Files:
    """Whatever JSON can say, and what is none."""
    yield "nothing", b""
    yield "noise", np.random.default_rng(0).bytes(1000)
    yield "nul", bytes(1000)
    yield "cut", good[:-10]
    deep = ("[" * 100_000, '{"a":' * 100_000, "9" * 100_000)
    for text in ("[]", "{}", "null", "1e999", "NaN", '"x"', *deep):
        yield f"JSON {text[:8]} of {len(text)}", text.encode()
    yield "text of 20 MB", b'"' + b"x" * 20_000_000 + b'"'
    yield "a million numbers", json.dumps([1] * 1_000_000).encode()
    yield "utf-16", good.decode().encode("utf-16")
    whole = json.loads(good)
    for path in paths(whole):
        name = ".".join(path)
        for value in VALUES:
            yield f"{name} is {value}", json.dumps(changed(whole, path, value)).encode()
        yield f"no {name}", json.dumps(changed(whole, path, None, gone=True)).encode()


def paths(whole: object, before: tuple = ()) -> Iterator[tuple]:
    if isinstance(whole, dict):
        for key, value in whole.items():
            yield (*before, key)
            yield from paths(value, (*before, key))


def changed(whole: dict, path: tuple, value: object, *, gone: bool = False) -> dict:
    copy = json.loads(json.dumps(whole))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if gone:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copy


def tensors(good: bytes) -> Files:
    """Weights whose head claims, or that are damaged."""
    length = struct.unpack("<Q", good[:8])[0]
    head, body = json.loads(good[8 : 8 + length]), good[8 + length :]

    def made(head: object, body: bytes = body) -> bytes:
        said = json.dumps(head).encode()
        return struct.pack("<Q", len(said)) + said + body

    yield "nothing", b""
    yield "only a length", struct.pack("<Q", 2**60)
    yield "a head of 100 MB", struct.pack("<Q", 100_000_000) + b" " * 1_000_000
    yield "a deep head", struct.pack("<Q", 100_000) + b"[" * 100_000
    yield "cut", good[:-1000]
    yield "longer", good + bytes(1000)
    yield "pickle", b"\x80\x04cos\nsystem\n(S'false'\ntR."
    first = next(name for name in head if name != "__metadata__")
    for key, values in {
        "dtype": ("F64", "F8_E4M3", "X", None), "shape": ([], [-1], [10**12, 10**12], [1] * 100, "x"),
        "data_offsets": ([0, 10**15], [10, 0], [-8, 0], [0, 4], [], "x"),
    }.items():  # fmt: skip
        for value in values:
            yield f"{key} {str(value)[:30]}", made(head | {first: head[first] | {key: value}})
    yield "no tensors", made({})
    yield "another name", made({f"{name}x": value for name, value in head.items()})
    yield "100,000 tensors", made({f"t{n}": head[first] for n in range(100_000)})
    yield "not finite", made(head, b"\xff" * len(body))
    yield "noise", made(head, np.random.default_rng(1).bytes(len(body)))


def blobs(good: bytes) -> Files:
    """Damage to a file of any format."""
    yield "nothing", b""
    yield "cut", good[: len(good) // 2]
    yield "zeros", bytes(len(good))
    rng = np.random.default_rng(2)
    yield "noise", rng.bytes(len(good))
    for number in range(12):
        data = bytearray(good)
        for _ in range(rng.integers(1, 8)):
            data[-1 - rng.integers(0, min(len(data), 2000))] = rng.integers(0, 256)
        yield f"damaged {number}", bytes(data)


KINDS = {".json": jsons, ".safetensors": tensors}
