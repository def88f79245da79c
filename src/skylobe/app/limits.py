"""What one request may ask for, so that no request takes the memory or the time of the others."""

UPLOAD_BYTES = 16_000_000
UPLOAD_PIXELS = 4_200_000  # 2048×2048; an encoder sees 70×70 of them
HEADER_BYTES = (
    500_000  # of a FITS file, all extensions up to the image; larger ones take seconds to read
)
UPLOADS_KEPT = 500  # vectors and thumbnails of the latest uploads: 3 MB
UPLOADS_AT_ONCE = 2  # read and embedded at one time; the others wait
SEARCHES_AT_ONCE = 4
BODY_BYTES = 4_000_000  # of any request but an upload
ANSWERS = 200  # sources in one answer, with their thumbnails
TERMS = 50  # sources that one query is made of
EXPORTED = 200_000  # sources in one file
VERTICES = 2000  # of a polygon on the map
MAP_PIXELS = 4_000_000  # of one drawing of the map
TAG_LENGTH = 60  # characters
TAGS = 200  # different ones
TAGGED_AT_ONCE = 5000  # sources
