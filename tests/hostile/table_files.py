"""Tables that are made to take long, to take memory, or to crash whoever reads them."""

import gzip
import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

from hostile.fits_files import card, header, padded

Files = Iterator[tuple[str, str, bytes]]
EMPTY = header({"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0"})
TABLE = {
    "XTENSION": "'BINTABLE'", "BITPIX": "8", "NAXIS": "2", "NAXIS1": "12", "NAXIS2": "2", "PCOUNT": "0",
    "GCOUNT": "1", "TFIELDS": "2", "TTYPE1": "'id'", "TFORM1": "'8A'", "TTYPE2": "'ra'", "TFORM2": "'E'",
}  # fmt: skip
VOTABLE = (
    '<?xml version="1.0"?>{doctype}<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    '<RESOURCE><TABLE><FIELD name="id" datatype="char" arraysize="{size}"/>{fields}'
    "<DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>"
)
ROWS = "<TABLEDATA><TR><TD>a</TD></TR></TABLEDATA>"


def delimited() -> Files:
    """CSV and TSV."""
    good = b"id,file,ra,dec\na,a.fits,10,20\n"
    yield "nothing", ".csv", b""
    yield "nul", ".csv", bytes(1_000_000)
    yield "noise", ".csv", np.random.default_rng(0).bytes(100_000)
    yield "a line of 10 MB", ".csv", b"id,file\n" + b"x" * 10_000_000
    yield "a cell of 10 MB", ".csv", b'id,file\n"' + b"x" * 10_000_000 + b'",b\n'
    yield "200,000 columns", ".csv", b",".join(b"c%d" % n for n in range(200_000)) + b"\n"
    yield (
        "200,000 columns with a row",
        ".csv",
        (b",".join(b"c%d" % n for n in range(200_000)) + b"\n" + b"1," * 199_999 + b"1\n"),
    )
    yield "a million commas", ".csv", b"," * 1_000_000
    yield "an open quotation", ".csv", b'id,file\n"a' + b",b\n" * 500_000
    yield "a million empty lines", ".csv", b"\n" * 1_000_000 + good
    yield "a million remarks", ".csv", b"# x\n" * 1_000_000 + good
    yield "uneven rows", ".csv", good + b"b\nc,d,e,f,g,h\n"
    yield "two names", ".csv", b"id,id\n1,2\n"
    yield "utf-16 cut", ".csv", "id,file\na,b\n".encode("utf-16")[:-1]
    yield "half a mark", ".csv", b"\xff\xfe"
    yield "latin", ".csv", b"id,file\n\xe9,a\n"
    yield "carriage returns", ".csv", b"id,file\r" * 100_000
    yield "numbers of 100,000 digits", ".csv", b"id,ra,dec\na," + b"9" * 100_000 + b",1\n"
    yield "a place of 1,000,000 signs", ".csv", b"id,ra,dec\na," + b"1:" * 500_000 + b",1\n"
    for place in ("1e400,0", "nan,nan", "inf,-inf", "400,95", "25:00:00,+99:00:00", "−1,1"):
        yield f"place {place}", ".csv", f"id,ra,dec\na,{place}\n".encode()
    yield "tabs", ".tsv", b"\t" * 1_000_000


def votables() -> Files:
    """VOTables: XML that grows, claims, or nests."""

    def table(data: str = ROWS, doctype: str = "", size: str = "*", fields: str = "") -> bytes:
        return VOTABLE.format(data=data, doctype=doctype, size=size, fields=fields).encode()

    laughs = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]>'
    yield "a billion laughs", ".vot", table(ROWS.replace(">a<", ">&a9;<"), bomb)
    yield (
        "laughs in the name",
        ".vot",
        table(doctype=bomb, fields='<FIELD name="&a9;" datatype="int"/>'),
    )
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    yield "a file of ours", ".vot", table(ROWS.replace(">a<", ">&a;<"), outside)
    yield "an address", ".vot", table('<BINARY><STREAM href="http://127.0.0.1:9/x"/></BINARY>')
    yield "100,000 deep", ".vot", b"<VOTABLE>" + b"<RESOURCE>" * 100_000
    yield "100,000 fields", ".vot", table(fields='<FIELD name="x" datatype="int"/>' * 100_000)
    yield (
        "an attribute of 10 MB",
        ".vot",
        table(fields=f'<FIELD name="{"x" * 10**7}" datatype="int"/>'),
    )
    for size in ("1000000000", "1000000000x1000000000", "-1", "x", "99999999999999999999"):
        binary = '<BINARY><STREAM encoding="base64">AAAAAQ==</STREAM></BINARY>'
        yield f"size {size}", ".vot", table(size=size)
        yield f"binary of size {size}", ".vot", table(binary, size=size)
    claims = '<BINARY2><STREAM encoding="base64">AH////9h</STREAM></BINARY2>'
    yield "a cell of 2 GB", ".vot", table(claims)
    yield "no table", ".vot", b"<VOTABLE/>"
    yield "no XML", ".vot", b"\0" * 1000
    yield "gzip", ".vot", gzip.compress(b"<VOTABLE>" + b" " * 100_000_000)
    yield "cut", ".vot", table()[:-30]


def fits_tables() -> Files:
    """FITS tables whose columns claim."""
    data = padded(b"a".ljust(8) + bytes(4) + b"b".ljust(8) + bytes(4))
    for name, values in {
        "NAXIS2": "1000000000 -1", "NAXIS1": "0 1 1000000000", "TFIELDS": "0 1 3 999 1000000000 -1",
        "TFORM1": "'1000000000A' '0A' '-1A' '8X' '1PA' '1QA(1000000000)' 'Z' '' '8A8' '1000000000000D'",
        "TFORM2": "'0E' '1PE(10)' '99999E' 'M'", "TDIM1": "'(1000000,1000000)' '(-1,2)' 'x'",
        "TSCAL2": "1E308 'x' 0", "TZERO2": "1E308", "TNULL2": "'x'", "THEAP": "-1 999999999",
        "TUNIT2": "'deg/0' 'xyz'", "TDISP2": "'F999999999.9'", "TTYPE2": "'id' ''", "PCOUNT": "-24",
    }.items():  # fmt: skip
        for value in values.split():
            yield f"{name}={value}", ".fits", EMPTY + header(TABLE | {name: value}) + data
    none = TABLE | {"NAXIS1": "0", "NAXIS2": "1000000000", "TFIELDS": "0"}
    yield "10^9 rows of nothing", ".fits", EMPTY + header(none)
    blank = TABLE | {"NAXIS1": "0", "NAXIS2": "1000000000", "TFIELDS": "1", "TFORM1": "'0A'"}
    yield "10^9 empty names", ".fits", EMPTY + header(blank)
    heap = TABLE | {
        "NAXIS1": "8",
        "NAXIS2": "100000",
        "TFIELDS": "1",
        "TFORM1": "'1PE'",
        "PCOUNT": "4000",
    }
    same = np.tile(np.array([1000, 0], ">i4"), 100_000).tobytes()
    yield "100,000 rows of one heap", ".fits", EMPTY + header(heap) + padded(same + bytes(4000))
    wide = [card(f"TTYPE{n}", f"'c{n}'") + card(f"TFORM{n}", "'E'") for n in range(1, 1000)]
    many = TABLE | {"NAXIS1": "3996", "NAXIS2": "100", "TFIELDS": "999"}
    many = {k: v for k, v in many.items() if not k.startswith(("TTYPE", "TFORM"))}
    cards = [part for pair in wide for part in (pair[:80], pair[80:])]
    yield "999 columns", ".fits", EMPTY + header(many, *cards) + padded(bytes(399_600))
    yield "no table", ".fits", EMPTY
    text = TABLE | {
        "XTENSION": "'TABLE'",
        "TBCOL1": "1",
        "TBCOL2": "1000000000",
        "TFORM2": "'E15.7'",
    }
    yield "a text table", ".fits", EMPTY + header(text) + data
    packed = io.BytesIO()
    fits.CompImageHDU(np.zeros((9, 9), np.float32)).writeto(packed)
    yield "an image", ".fits", packed.getvalue()
    yield "gzip", ".fits", gzip.compress(EMPTY + bytes(100_000_000))


def parquets() -> Files:
    """Parquet tables that say much in few bytes, or nothing that can be read."""

    def made(table: pa.Table, **options: object) -> bytes:
        file = io.BytesIO()
        pq.write_table(table, file, **options)
        return file.getvalue()

    many = pa.array(np.zeros(30_000_000, np.int8)).dictionary_encode()
    yield "30,000,000 equal rows", ".parquet", made(pa.table({"id": many}))
    text = pa.DictionaryArray.from_arrays(np.zeros(5_000_000, np.int32), ["x" * 60])
    yield "5,000,000 equal names", ".parquet", made(pa.table({"id": text}))
    yield "nulls", ".parquet", made(pa.table({"id": pa.nulls(10_000_000, pa.string())}))
    good = made(pa.table({"id": ["a", "b"], "ra": [1.0, 2.0], "dec": [1.0, 2.0]}))
    rng = np.random.default_rng(6)
    for number in range(30):
        data = bytearray(good)
        for _ in range(rng.integers(1, 8)):
            data[rng.integers(4, len(data))] = rng.integers(0, 256)
        yield f"damaged {number}", ".parquet", bytes(data)
    yield "cut", ".parquet", good[:-20]
    yield "footer of 2 GB", ".parquet", good[:-8] + b"\xff\xff\xff\x7fPAR1"
    yield "nothing", ".parquet", b"PAR1PAR1"
    deep = pa.array([1], pa.int8())
    for _ in range(300):
        deep = pa.ListArray.from_arrays([0, 1], deep)
    yield "300 lists deep", ".parquet", made(pa.table({"id": deep}))
    meta = {b"table_meta_yaml": b"a: &a [" + b"x," * 1000 + b"]\n" + b"b: *a\n" * 1000}
    yield "astropy's words", ".parquet", made(pa.table({"id": ["a"]}).replace_schema_metadata(meta))


def ecsvs() -> Files:
    """ECSV: a header in YAML, which can say anything."""

    def made(yaml: str, rows: str = "id\na\n") -> bytes:
        said = "".join(f"# {line}\n" for line in yaml.split("\n"))
        return f"# %ECSV 1.0\n# ---\n{said}{rows}".encode()

    column = "datatype:\n- {name: id, datatype: string}"
    alias = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
        f"a{n + 1}: &a{n + 1} [{','.join([f'*a{n}'] * 10)}]" for n in range(9)
    )
    yield "a billion aliases", ".ecsv", made(alias + "\n" + column)
    yield (
        "aliases in meta",
        ".ecsv",
        made(column + "\nmeta: !!omap\n- {a: &a [1]}\n- {b: [*a, *a]}"),
    )
    yield "10,000 deep", ".ecsv", made("datatype: " + "[" * 10_000)
    claimed = "{buffer: !!binary AA==, dtype: float64, shape: [10000000000], order: C}"
    claimed = f"{column}\nmeta: {{a: !numpy.ndarray {claimed}}}"
    yield "an array of 10^10", ".ecsv", made(claimed)
    yield "a program", ".ecsv", made("datatype: !!python/object/apply:os.system [echo]")
    for kind in ("float1000000", "string[1000000000]", "object", "int128", "{}", "datetime64"):
        yield f"kind {kind}", ".ecsv", made(f"datatype:\n- {{name: id, datatype: {kind}}}")
    yield (
        "subtype",
        ".ecsv",
        made(
            "datatype:\n- {name: id, datatype: string, subtype: 'float64[1000000000]'}", "id\n[1]\n"
        ),
    )
    yield "no datatype", ".ecsv", made("meta: {}")
    yield "a list of numbers", ".ecsv", made("datatype: [1, 2]")
    yield "no header", ".ecsv", b"id\na\n"
    yield "tabs", ".ecsv", made("\tdatatype: x")


KINDS = (delimited, votables, fits_tables, parquets, ecsvs)
