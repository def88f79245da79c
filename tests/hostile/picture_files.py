"""PNG, JPEG and NPY files that are made to take long, to take memory, or to crash whoever reads them."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

Files = Iterator[tuple[str, bytes]]
SIGN = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes = b"", *, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return struct.pack(">I", size) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def head(width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def png(*chunks: bytes) -> bytes:
    return SIGN + b"".join(chunks) + chunk(b"IEND")


def blank(width: int, height: int, depth: int = 8) -> bytes:
    row = bytes(1 + -(-width * depth // 8))
    packer = zlib.compressobj(9)
    parts = [packer.compress(row) for _ in range(height)]
    return chunk(b"IDAT", b"".join(parts) + packer.flush())


def jpeg(size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    made = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, size[::-1], dtype=np.uint8)
    Image.fromarray(noise).save(made, "JPEG", **options)
    return made.getvalue()


def pngs() -> Files:
    pixels = blank(64, 64)
    for width, height, depth in ((20_000, 20_000, 1), (9_500, 9_500, 8), (16_000, 6_000, 1)):
        yield (
            f"{width}x{height} of {depth} bits",
            png(head(width, height, depth), blank(width, height, depth)),
        )
    for width, height in (
        (0, 64),
        (2**31 - 1, 1),
        (2**31 - 1, 2**31 - 1),
        (2**32 - 1, 2),
        (64, 10**9),
    ):
        yield f"claims {width}x{height}", png(head(width, height), pixels)
    yield "interlaced 12,000", png(head(12_000, 12_000, 1, 0, 1), blank(12_000, 12_000, 1))
    yield "700,000 chunks", png(head(64, 64), *[chunk(b"teSt")] * 700_000, pixels)
    yield "700,000 chunks behind", png(head(64, 64), pixels, *[chunk(b"teSt")] * 700_000)
    yield "300,000 parts", png(head(64, 64), *[chunk(b"IDAT")] * 300_000, pixels)
    bomb = zlib.compress(bytes(50_000_000), 9)
    for kind, text in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        yield (
            f"{kind.decode()} of 50 MB",
            png(head(64, 64), *[chunk(kind, text + bomb)] * 60, pixels),
        )
    yield "palette without colours", png(head(64, 64, 8, 3), pixels)
    yield "kind of colour 9", png(head(64, 64, 8, 9), pixels)
    yield "depth of 3", png(head(64, 64, 3), pixels)
    yield "no pixels", png(head(64, 64))
    yield "cut pixels", png(head(64, 64), chunk(b"IDAT", pixels[8:20]))
    yield "two heads", png(head(64, 64), head(20_000, 20_000), pixels)
    yield "chunk of 4 GB", png(head(64, 64), chunk(b"IDAT", b"x", length=2**32 - 1))
    yield "sums are wrong", png(head(64, 64), pixels).replace(b"IDAT", b"IDAX")
    yield "animated", png(head(64, 64), chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), pixels)
    yield "only a sign", SIGN


def jpegs() -> Files:
    plain, progressive = jpeg(), jpeg((2000, 2000), progressive=True, quality=5)
    last = progressive.rfind(b"\xff\xda")
    scan = progressive[last:-2]
    for many in (100, 5_000):
        yield f"{many} more scans", progressive[:-2] + scan[:14] * many + b"\xff\xd9"
        yield f"{many} whole scans", progressive[:-2] + scan[:4000] * many + b"\xff\xd9"
    frame = plain.index(b"\xff\xc0")
    for height, width in ((65_500, 65_500), (0, 64), (64, 0), (65_500, 1)):
        size = struct.pack(">HH", height, width)
        yield f"claims {width}x{height}", plain[: frame + 5] + size + plain[frame + 9 :]
    start, rest = plain[:2], plain[2:]
    yield "1,000,000 segments", start + b"\xff\xe1\0\2" * 1_000_000 + rest
    yield "junk before the frame", start + b"x" * 8_000_000 + rest
    yield "8 MB of fill", start + b"\xff" * 8_000_000 + rest
    yield (
        "200 segments of 64 kB",
        start + (b"\xff\xe1\xff\xff" + b"Exif\0\0" + bytes(65_527)) * 200 + rest,
    )
    loop = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x87\x69\0\4\0\0\0\1\0\0\0\x08" * 5000
    yield "EXIF in a circle", start + b"\xff\xe1" + struct.pack(">H", len(loop) + 2) + loop + rest
    yield "a thousand tables", start + b"\xff\xdb\0\x43\0" + bytes(64) + rest
    yield "no end", plain[:-2]
    yield "no scan", plain[: plain.index(b"\xff\xda")]
    yield "noise", b"\xff\xd8\xff" + np.random.default_rng(4).bytes(50_000)
    for at in (0xC1, 0xC3, 0xC9, 0xCB):
        yield f"frame of kind {at:x}", plain[:frame] + bytes([0xFF, at]) + plain[frame + 2 :]


def npys() -> Files:
    def array(text: str, data: bytes = bytes(100), version: int = 1) -> bytes:
        said = text.encode("latin-1")
        length = struct.pack("<H" if version == 1 else "<I", len(said))
        return b"\x93NUMPY" + bytes([version, 0]) + length + said + data

    for name, shape in {
        "huge": "(1000000000, 1000000000)", "long": "(10000000000,)", "negative": "(-1, -1)",
        "empty": "(0, 5)", "deep": "(" + "1," * 100 + ")", "words": "('a', 2)", "no numbers": "(True, 5)",
    }.items():  # fmt: skip
        yield (
            f"shape {name}",
            array(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n"),
        )
    for kind in (
        "|V1000000000",
        "<U100000000",
        "<c16",
        "|O",
        "<M8[s]",
        "<f3",
        "x",
        "[('a', '<f4')]",
    ):
        quoted = kind if kind.startswith("[") else f"'{kind}'"
        text = f"{{'descr': {quoted}, 'fortran_order': False, 'shape': (5, 5)}}\n"
        yield f"kind {kind}", array(text)
    yield "head of brackets", array("(" * 9000)
    yield "head of 60 kB", array("{" + " " * 60_000 + "}")
    yield "head of 4 GB", b"\x93NUMPY\2\0\xff\xff\xff\xff{"
    yield "version 9", array("{}", version=9)
    yield "head is code", array("__import__('os').system('false')\n")
    made = io.BytesIO()
    np.save(made, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield "pickle", made.getvalue()
    yield "npz", b"PK\3\4" + bytes(100)
    yield "cut", array("{'descr': '<f8', 'fortran_order': False, 'shape': (50, 50)}\n")


def damaged() -> Files:
    """Good files with a few bytes changed or gone."""
    rng = np.random.default_rng(5)
    for number in range(40):
        data = bytearray(png(head(64, 64), blank(64, 64)) if number % 2 else jpeg())
        for _ in range(rng.integers(1, 8)):
            data[rng.integers(8, len(data))] = rng.integers(0, 256)
        yield f"damaged {number}.{'png' if number % 2 else 'jpg'}", bytes(data)


ENDINGS = {pngs: ".png", jpegs: ".jpg", npys: ".npy"}
