"""What a VOTable asks for before it is a table: addresses to fetch, and columns without number."""

import io

from astropy.utils.xml.iterparser import get_xml_iterator

from skylobe.core.errors import DataError

MOST_COLUMNS = 5000  # each is compared with all others when they are named


def refuse_requests(data: bytes, origin: str) -> None:
    """Refuse a VOTable whose rows lie elsewhere: reading it would ask whatever address it names.

    The XML is read by the same reader as the table is, so that both see the same.

    Args:
        data: The file, gzipped or not.
        origin: What messages call it.

    Raises:
        DataError: Naming the address; or if it has more columns than any table.
    """
    columns = 0
    with get_xml_iterator(io.BytesIO(data)) as elements:
        for is_start, name, content, _ in elements:
            columns += is_start and name in ("FIELD", "PARAM", "GROUP")
            if columns > MOST_COLUMNS:
                raise DataError(
                    f"{origin}: has more than {MOST_COLUMNS} columns; save fewer of them."
                )
            if is_start and name == "STREAM" and content.get("href"):
                raise DataError(
                    f"{origin}: its rows lie elsewhere, at {content['href'][:80]!r}, and nothing is "
                    "fetched that you did not name; save the table with its rows inside."
                )
