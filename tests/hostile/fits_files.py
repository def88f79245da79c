"""FITS files that are made to take long, to take memory, or to crash whoever reads them."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from astropy.io import fits

PIXELS = np.random.default_rng(0).normal(0, 1e-3, (20, 30)).astype(">f4")
DATA = PIXELS.tobytes()
PLAIN = {"SIMPLE": "T", "BITPIX": "-32", "NAXIS": "2", "NAXIS1": "30", "NAXIS2": "20"}
SKY = {
    "CTYPE1": "'RA---TAN'", "CTYPE2": "'DEC--TAN'", "CRVAL1": "206.42", "CRVAL2": "23.38",
    "CRPIX1": "15.5", "CRPIX2": "10.5", "CDELT1": "-0.0005", "CDELT2": "0.0005",
}  # fmt: skip
PACKED = {
    "XTENSION": "'BINTABLE'", "BITPIX": "8", "NAXIS": "2", "NAXIS1": "8", "NAXIS2": "1", "PCOUNT": "0",
    "GCOUNT": "1", "TFIELDS": "1", "TTYPE1": "'COMPRESSED_DATA'", "TFORM1": "'1PB'", "ZIMAGE": "T",
    "ZBITPIX": "32", "ZNAXIS": "2", "ZNAXIS1": "100", "ZNAXIS2": "100", "ZTILE1": "100",
    "ZTILE2": "100", "ZCMPTYPE": "'GZIP_1'",
}  # fmt: skip
Files = Iterator[tuple[str, bytes]]


def card(name: str, value: str) -> bytes:
    return f"{name:<8}= {value:>20}".encode().ljust(80)[:80]


def header(cards: dict[str, str], *more: bytes, end: bytes = b"END") -> bytes:
    text = b"".join(card(*one) for one in cards.items()) + b"".join(one.ljust(80) for one in more)
    text += end.ljust(80)
    return text + b" " * (-len(text) % 2880)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 2880)


def file(cards: dict[str, str], *more: bytes, data: bytes = DATA, end: bytes = b"END") -> bytes:
    return header(cards, *more, end=end) + padded(data)


def claims() -> Files:
    """Structural cards with values that no image has."""
    claimed = {
        "BITPIX": "-31 0 7 1000000000 -64 64 -1 T '-32' -32.0 1E9",
        "NAXIS": "1000000000 999 1000 3 1 -1 33 '2' 2.0 T",
        "NAXIS1": "1000000000 1000000000000 999999999999999999 2147483648 -50 0 '30' 30.0 1E9",
        "NAXIS2": "9223372036854775807 99999999999999999999999999 4294967296 -20 1e18",
        "PCOUNT": "-2880 -1 1000000000 999999999999999999 -999999999999999999 1E9",
        "GCOUNT": "-1 0 1000000000 999999999999999999 -1000000000",
    }
    for name, values in claimed.items():
        for value in values.split():
            yield f"{name}={value}", file(PLAIN | {name: value})
            image = {"XTENSION": "'IMAGE'"} | {k: v for k, v in PLAIN.items() if k != "SIMPLE"}
            image |= {"PCOUNT": "0", "GCOUNT": "1"} | {name: value}
            empty = header({"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0"})
            yield f"second {name}={value}", empty + file(image)
    for name in ("BITPIX", "NAXIS", "NAXIS1"):
        yield f"no {name}", file({k: v for k, v in PLAIN.items() if k != name})
    yield "groups", file(PLAIN | {"NAXIS1": "0", "GROUPS": "T", "PCOUNT": "1000000", "GCOUNT": "1"})
    yield "scaled beyond numbers", file(PLAIN | {"BSCALE": "1E308", "BZERO": "-1E308"})
    yield "blank as text", file(PLAIN | {"BITPIX": "32", "BLANK": "'none'"})


def spellings() -> Files:
    """Cards that one reader takes for structure, and another passes over."""
    for name, value in (("NAXIS1", "1000000000"), ("NAXIS", "900"), ("PCOUNT", "-2880")):
        lower = name.lower()
        for odd in (
            f"{lower:<8}= {value}", f"{name}= {value}", f" {name}  = {value}", f"{name:<8}={value}",
            f"HIERARCH {name} = {value}", f"hierarch {lower} = {value}", f"{name:<8}= {value}",
            f"{name.capitalize():<8}= {value}", f"{name:<8}=  {value}. / a float",
        ):  # fmt: skip
            yield f"spelt {odd}", file(PLAIN, odd.encode())
            rest = {k: v for k, v in PLAIN.items() if k != name}
            yield f"spelt alone {odd}", file(rest, odd.encode())
    for odd in ("zimage  = T", "ZIMAGE= T", "HIERARCH ZIMAGE = T", " ZIMAGE = T", "ZIMAGE  = 'T'"):
        rest = {k: v for k, v in PACKED.items() if k != "ZIMAGE"}
        yield f"spelt {odd}", tiles(rest, zeros(1), odd.encode())


def zeros(millions: int, before: bytes = b"") -> bytes:
    """A gzip of many million zeros, made by saying one million again and again."""
    packer = zlib.compressobj(9, wbits=-15)
    first = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    million = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(7) + first + million * millions + packer.flush() + bytes(8)


def tiles(cards: dict[str, str], heap: bytes, *more: bytes) -> bytes:
    """A table of one row whose heap is one compressed tile."""
    descriptor = np.array([len(heap), 0], ">i4").tobytes()
    cards = cards | {"PCOUNT": str(len(heap))}
    start = header({"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0"})
    return start + header(cards, *more) + padded(descriptor + heap)


def packings() -> Files:
    """Tiles that unfold without end, or are no tiles."""
    large = {"ZNAXIS1": "10000", "ZNAXIS2": "10000", "ZTILE1": "10000", "ZTILE2": "10000"}
    yield "gzip tile of 400 MB", tiles(PACKED | large, zeros(400))
    yield "small tile of 400 MB", tiles(PACKED, zeros(400))
    noise = np.random.default_rng(0).bytes(5000)
    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1", "NOCOMPRESS", "LZMA_9"):
        for name, size in (("", {}), (" large", large)):
            for what, heap in (("noise", noise), ("nothing", b""), ("ones", b"\xff" * 5000)):
                yield (
                    f"{kind}{name} of {what}",
                    tiles(PACKED | size | {"ZCMPTYPE": f"'{kind}'"}, heap),
                )
    for name, value in (
        ("ZNAXIS", "999"), ("ZNAXIS", "-1"), ("ZNAXIS1", "1000000000"), ("ZNAXIS1", "-100"),
        ("ZTILE1", "0"), ("ZTILE1", "-1"), ("ZTILE1", "1000000000"), ("ZBITPIX", "31"),
        ("ZNAME1", "'BLOCKSIZE'"), ("TFORM1", "'1PD'"), ("TFORM1", "'999999999E'"), ("THEAP", "-1"),
        ("THEAP", "999999999999"), ("TFIELDS", "999"), ("ZQUANTIZ", "'X'"),
    ):  # fmt: skip
        yield f"tiles {name}={value}", tiles(PACKED | {name: value}, gzip.compress(bytes(40_000)))
    many = PACKED | {
        "NAXIS2": "250000",
        "ZNAXIS1": "500",
        "ZNAXIS2": "500",
        "ZTILE1": "1",
        "ZTILE2": "1",
    }
    rows = np.zeros((250_000, 2), ">i4").tobytes()
    yield "a tile a pixel", header(PLAIN | {"NAXIS": "0"}) + header(many) + padded(rows)


def places() -> Files:
    """Coordinates that take for ever, or that put the image nowhere."""
    for key in ("A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER"):
        for value in ("5000", "100000", "-1", "1E9", "'many'"):
            sip = {"CTYPE1": "'RA---TAN-SIP'", "CTYPE2": "'DEC--TAN-SIP'", "A_ORDER": "2"}
            yield f"{key}={value}", file(PLAIN | SKY | sip | {"B_ORDER": "2", key: value})
    for kind in [
        "AZP",
        "SZP",
        "TAN",
        "STG",
        "SIN",
        "ARC",
        "ZPN",
        "ZEA",
        "AIR",
        "CYP",
        "CEA",
        "CAR",
        "MER",
        "COP",
        "COE",
        "COD",
        "COO",
        "SFL",
        "PAR",
        "MOL",
        "AIT",
        "BON",
        "PCO",
        "TSC",
        "CSC",
        "QSC",
        "HPX",
        "XPH",
        "TPV",
        "TPD",
        "TNX",
        "ZPX",
        "DSS",
        "TAB",
        "XXX",
    ]:
        own = {"CTYPE1": f"'RA---{kind}'", "CTYPE2": f"'DEC--{kind}'"}
        parameters = {f"PV{axis}_{n}": "1E300" for axis in (1, 2) for n in range(5)}
        yield f"{kind} with large PV", file(PLAIN | SKY | own | parameters)
        yield (
            f"{kind} with many PV",
            file(
                PLAIN | SKY | own | {f"PV{axis}_{n}": "0.1" for axis in (1, 2) for n in range(100)}
            ),
        )
    for name, values in {
        "CDELT1": "0 1E-12 1E-300 1E300 -1E-9 'x' NaN", "CRPIX1": "1E300 1E18 'x'",
        "CRVAL1": "1E300 'x' -1E18", "CRVAL2": "1E300 91 -1000", "LONPOLE": "1E300",
        "LATPOLE": "-1E300", "EQUINOX": "1E300 -1E300 'J99999999' 0", "RADESYS": "'XXX'",
        "PV1_999999999": "1", "PV2_1000": "1E300", "PS1_0": "'x'", "CD1_1": "0", "PC1_1": "1E300",
        "CROTA2": "1E300", "CUNIT1": "'Jy'", "BMAJ": "1E300", "STOKES": "'V'", "BUNIT": "1",
    }.items():  # fmt: skip
        for value in values.split():
            yield f"{name}={value}", file(PLAIN | SKY | {name: value})
    tiny = {"CDELT1": "-1E-12", "CDELT2": "1E-12"}
    yield "pixels of 4 nanoarcsec", file(PLAIN | SKY | tiny)
    yield "pixels of 10 milliarcsec", file(PLAIN | SKY | {"CDELT1": "-3E-6", "CDELT2": "3E-6"})


def heads() -> Files:
    """Headers of any length, and files of any number of units."""
    for kind, line in (
        ("HISTORY", b"HISTORY a line"), ("CONTINUE", b"CONTINUE  'text&'"), ("blank", b""),
        ("HIERARCH", b"HIERARCH a b c d e f = 1"), ("odd", b"\xff\xfe\xfd"), ("LONG", b"LONG    = 'x&'"),
    ):  # fmt: skip
        yield f"100,000 cards {kind}", file(PLAIN, *[line] * 100_000)
    numbered = [card(f"K{n}", str(n)) for n in range(60_000)]
    yield "60,000 cards", file(PLAIN, *numbered)
    for name, end in (
        ("none", b""),
        ("lower", b"end"),
        ("followed", b"END     x"),
        ("nul", b"END\0"),
    ):
        yield f"end {name}", file(PLAIN, end=end)
    empty = header(
        {"XTENSION": "'IMAGE'", "BITPIX": "8", "NAXIS": "0", "PCOUNT": "0", "GCOUNT": "1"}
    )
    yield "5,000 empty units", header(PLAIN | {"NAXIS": "0"}) + empty * 5000
    table = PACKED | {"ZIMAGE": "F", "NAXIS2": "0"}
    yield "2,000 empty tables", header(PLAIN | {"NAXIS": "0"}) + header(table) * 2000
    yield "no data", header(PLAIN | {"NAXIS": "0"})
    yield "not standard", file(PLAIN | {"SIMPLE": "F"})
    yield "nothing", b""
    yield "a line", b"SIMPLE  =                    T"
    yield "noise", b"SIMPLE  =" + np.random.default_rng(1).bytes(50_000)


def pixels() -> Files:
    """Numbers that arithmetic does not like, and shapes."""
    for name, value in (
        ("inf", np.inf),
        ("nan", np.nan),
        ("1e38", 3e38),
        ("tiny", 1e-45),
        ("0", 0.0),
    ):
        yield f"all {name}", file(PLAIN, data=np.full((20, 30), value, ">f4").tobytes())
        mixed = PIXELS.copy()
        mixed[::2] = value
        yield f"half {name}", file(PLAIN, data=mixed.tobytes())
    wide = PLAIN | {"BITPIX": "8", "NAXIS1": "2000000", "NAXIS2": "2"}
    yield "two rows of 2,000,000", file(wide, data=np.arange(4_000_000, dtype="u1").tobytes())
    cube = PLAIN | {"NAXIS": "3", "NAXIS3": "2", "NAXIS1": "15"}
    yield "a cube", file(cube)


def wrapped() -> Files:
    """Good files in wrappings that grow, or of a thousand parts."""
    good = file(PLAIN | SKY)
    large = PLAIN | {"NAXIS1": "10000", "NAXIS2": "10000"}
    yield "400 MB in gzip", zeros(400, header(large))
    yield "gzip without end", zeros(1000)[:900_000]
    yield "gzip of zeros", zeros(300)
    yield "gzip in gzip", gzip.compress(gzip.compress(good))
    yield "300,000 empty gzips", gzip.compress(b"") * 300_000
    yield "a gzip a block", b"".join(gzip.compress(good[at : at + 1]) for at in range(len(good)))
    yield "cut gzip", gzip.compress(good)[:-100]
    yield "noise in gzip", b"\x1f\x8b\x08\x00" + np.random.default_rng(2).bytes(10_000)
    yield "bzip2", bz2.compress(bytes(20_000_000))
    yield "xz", lzma.compress(bytes(20_000_000), preset=1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.fits", bytes(20_000_000))
    yield "zip", packed.getvalue()
    yield "compress", b"\x1f\x9d\x90" + bytes(1000)


def damaged() -> Files:
    """Good files with a few bytes changed or gone."""
    rng = np.random.default_rng(3)
    made = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(PIXELS.astype("f4"))]).writeto(made)
    goods = [file(PLAIN | SKY), made.getvalue()]
    for number in range(60):
        data = bytearray(goods[number % 2])
        for _ in range(rng.integers(1, 12)):
            data[rng.integers(0, min(len(data), 9000))] = rng.integers(0, 256)
        cut = len(data) if number % 3 else int(rng.integers(0, len(data)))
        yield f"damaged {number}", bytes(data[:cut])


KINDS = (claims, spellings, packings, places, heads, pixels, wrapped, damaged)
