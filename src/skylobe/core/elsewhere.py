"""What a file would have fetched: refused, for nothing is fetched that the user did not name."""

import io

from astropy.utils.xml.iterparser import get_xml_iterator

from skylobe.core.errors import DataError


def refuse_links(data: bytes, origin: str) -> None:
    """Refuse a VOTable whose rows lie elsewhere: reading it would ask whatever address it names.

    The XML is read by the same reader as the table is, so that both see the same.

    Args:
        data: The file, gzipped or not.
        origin: What messages call it.

    Raises:
        DataError: Naming the address.
    """
    with get_xml_iterator(io.BytesIO(data)) as elements:
        for is_start, name, content, _ in elements:
            if is_start and name == "STREAM" and content.get("href"):
                raise DataError(
                    f"{origin}: its rows lie elsewhere, at {content['href'][:80]!r}, and nothing is "
                    "fetched that you did not name; save the table with its rows inside."
                )
