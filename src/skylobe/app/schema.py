"""What goes over the wire: the requests and answers of the API, checked on the way in."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from skylobe.app import limits
from skylobe.search.unusual import SAME_SOURCE

Term = Annotated[str, Field(min_length=1, max_length=300)]
Tag = Annotated[str, Field(min_length=1, max_length=limits.TAG_LENGTH)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Vertex = tuple[Number, Number]


class Body(BaseModel):
    """A request; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid")


class Filtering(Body):
    """Which sources count."""

    where: Annotated[str, Field(max_length=4000)] | None = Field(
        default=None, description="Condition on the columns, such as label = 'FRI' AND ra > 10."
    )
    cone: Term | None = Field(default=None, description="Position around which to search only.")
    cone_radius: float = Field(default=1.0, gt=0, le=180, description="Degrees.")
    sizes: tuple[Number, Number] | None = Field(default=None, description="Arcsec.")
    n: int = Field(default=24, ge=1, le=limits.ANSWERS)


class SearchRequest(Filtering):
    """What to search for, and among which sources.

    A term is an id of the index, a position in any notation, an object's name where the server looks names
    up, or ``upload:…`` of an image that was sent before.
    """

    like: list[Term] = Field(min_length=1, max_length=limits.TERMS)
    unlike: list[Term] = Field(default=[], max_length=limits.TERMS)
    same_source: float = Field(default=SAME_SOURCE, ge=0, le=3600, description="Arcsec.")


class BrowseRequest(Filtering):
    """Sources that pass a filter, like nothing in particular."""

    order: Annotated[str, Field(max_length=300)] | None = Field(
        default=None,
        description="Column of numbers, smallest first, or with - before it largest first; "
        "without one a mixed order, the same each time.",
    )
    start: int = Field(default=0, ge=0, description="Sources passed over.")


class SelectionRequest(Body):
    """Sources inside a polygon of the map."""

    polygon: list[Vertex] = Field(min_length=3, max_length=limits.VERTICES)
    n: int = Field(default=60, ge=1, le=limits.ANSWERS)


class ExportRequest(Body):
    """Which sources to write into a file: those that answer a search, that pass a filter, or some."""

    format: str = Field(description=".fits, .vot, .ecsv, .csv, .parquet, .reg or .moc.fits")
    search: SearchRequest | None = None
    browse: BrowseRequest | None = Field(default=None, description="All that pass the filter.")
    polygon: list[Vertex] | None = Field(default=None, min_length=3, max_length=limits.VERTICES)
    ids: list[Term] | None = Field(default=None, min_length=1, max_length=limits.TAGGED_AT_ONCE)
    tagged: bool = Field(default=False, description="All sources that have a tag.")
    spreadsheet_safe: bool = Field(
        default=True,
        description="Mark cells of CSV and TSV that a spreadsheet would take for formulas.",
    )


class TagRequest(Body):
    """Tags to put on sources, and to take off; without either they count as looked at."""

    ids: list[Term] = Field(min_length=1, max_length=limits.TAGGED_AT_ONCE)
    add: list[Tag] = Field(default=[], max_length=limits.TAGS)
    remove: list[Tag] = Field(default=[], max_length=limits.TAGS)
    forget: bool = Field(default=False, description="As if never looked at.")


class NewTag(Body):
    """A tag to make, or to take back."""

    tag: Tag


class TrainingRequest(Body):
    """Which tags are classes; all, if none is named."""

    classes: list[Tag] = Field(default=[], max_length=limits.TAGS)


class SourceFacts(BaseModel):
    """A source of the index."""

    id: str
    ra: float | None = Field(description="Degrees, ICRS.")
    dec: float | None = Field(description="Degrees, ICRS.")
    place: str = Field(description="The position in hours and degrees.")
    size_arcsec: float | None
    label: str
    facts: dict[str, str | float | bool | None] = Field(description="Further columns.")
    tags: list[str]
    looked_at: bool = Field(description="By somebody who tags.")
    links: dict[str, str] = Field(description="Pages of the archive services about the place.")
    thumbnail: str | None = Field(description="The picture itself, as a data address.")
    x: float | None = Field(description="On the map.")
    y: float | None = Field(description="On the map.")


class SourcePage(SourceFacts):
    """A source of the index, and how its picture is measured."""

    pixel_scale: float | None = Field(description="Arcsec per pixel of the picture, if known.")
    beam_arcsec: float | None = Field(description="Of its survey: full width at half maximum.")


class Answer(SourceFacts):
    """A source that answers a search."""

    rank: int
    similarity: float
    separation_arcsec: float | None
    entries: int = Field(description="Entries of the index that show this source.")


class QueryPart(BaseModel):
    """A term of a query, and what it shows."""

    term: str
    name: str
    thumbnail: str | None


class Asked(BaseModel):
    """What was searched for."""

    name: str
    unusual: float | None = Field(
        description="Share of the index's sources whose nearest other one is nearer than the query's."
    )
    like: list[QueryPart]
    unlike: list[QueryPart]
    thumbnails: list[str | None]
    ids: list[str] = Field(description="Sources of the index that it was made of.")
    x: float | None
    y: float | None


class SearchAnswer(BaseModel):
    """The most similar sources, most similar first."""

    query: Asked
    answers: list[Answer]
    seconds: float


class Browsed(BaseModel):
    """Some of the sources that pass a filter."""

    count: int = Field(description="Of all that pass.")
    start: int
    sources: list[SourceFacts]


class Selected(BaseModel):
    """Sources inside a polygon."""

    count: int
    sources: list[SourceFacts]


class Colour(BaseModel):
    """How the map is coloured by a column."""

    column: str
    kind: Literal["density", "number", "class"]
    colours: list[str]
    names: list[str] = Field(description="Of the classes; or the two ends of a number's scale.")
    unit: str = Field(default="", description="Of a number.")


class MapFacts(BaseModel):
    """What the map shows."""

    points: int
    method: str
    variance_kept: float
    extent: tuple[float, float, float, float] = Field(description="x0, x1, y0, y1.")
    columns: list[str]
    colour: str = Field(description="The column to begin with.")


class IndexFacts(BaseModel):
    """What the index holds and the server offers."""

    sources: int
    damaged: int
    data: list[str]
    model: str
    n_views: int
    recall: float
    columns: dict[str, str]
    examples: list[str]
    endings: list[str]
    has_map: bool
    fetches: str | None = Field(description="Survey from which other positions are fetched.")
    resolves: bool
    upload_bytes: int
    version: str


class TagFacts(BaseModel):
    """The tags and how many sources have each."""

    tags: dict[str, int]
    keys: dict[str, int] = Field(description="Number of each tag; it stays with the tag.")
    looked_at: int


class Proposal(SourceFacts):
    """A source worth a look."""

    guesses: dict[str, float] = Field(description="Belief in each tag, 0 to 1, not calibrated.")


class ProposalAnswer(BaseModel):
    """The next sources to look at, and what choosing them took."""

    by: Literal["uncertainty", "similarity", "chance"]
    seconds: float
    sources: list[Proposal]
