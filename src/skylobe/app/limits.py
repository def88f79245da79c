"""What one request may ask for, so that no request takes the memory or the time of the others."""

UPLOAD_BYTES = 16_000_000
UPLOAD_PIXELS = 4_200_000  # 2048×2048; an encoder sees 70×70 of them
HEADER_BYTES = (
    500_000  # of a FITS file, all extensions up to the image; larger ones take seconds to read
)
UPLOAD_SECONDS = 2.0  # of the processor, for reading one; a large one takes a tenth
UPLOAD_MEMORY = 350_000_000  # bytes, for reading one
UPLOADS_KEPT = 500  # vectors and thumbnails of the latest uploads: 3 MB
UPLOADS_AT_ONCE = 2  # read and embedded at one time; the others wait
SEARCHES_AT_ONCE = 4
BODY_BYTES = 4_000_000  # of any request but an upload
BODIES_BYTES = 200_000_000  # of all requests that are coming in or being answered
BODY_SECONDS = 30.0  # for all of a body to come in
HEAD_SECONDS = (
    10.0  # for all of a request's head to come in, after the connection or the answer before
)
CONNECTIONS = 200  # at one time; fewer where fewer files may be open
FETCH_SECONDS = 10.0  # between two looks at whether a client fetches its answer
FETCHED_A_SECOND = 20_000  # bytes, below which it does not
UNFETCHED_BYTES = 200_000_000  # of all answers
ANSWERS = 200  # sources in one answer, with their thumbnails
TERMS = 50  # sources that one query is made of
EXPORTED = 200_000  # sources in one file
VERTICES = 2000  # of a polygon on the map
MAP_PIXELS = 4_000_000  # of one drawing of the map
TAGGING_AT_ONCE = 4  # requests that change tags
TAG_SECONDS = 2.0  # that a change waits for another process or request to end its own
TAG_LENGTH = 60  # characters
TAGS = 200  # different ones
TAGS_EACH = 20  # of one source
TAGS_SIZE = 10_000_000  # characters of all names and tags: each change writes the whole file
TAGGED_AT_ONCE = 5000  # sources
