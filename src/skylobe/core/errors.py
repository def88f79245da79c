"""What went wrong and what to do next.

Every error a user can meet is one of these; its text is one or two sentences that name the file or
value and the remedy. The command line prints the text alone and exits with the class's ``exit_code``.
"""


class SkylobeError(Exception):
    """An error whose text tells the user the next step."""

    exit_code = 1
    transient = False  # True where the same request may succeed a little later


class DataError(SkylobeError):
    """A file, table or image that cannot be used as it is."""

    exit_code = 3


class ChecksumError(DataError):
    """A file whose contents are not what was published."""


class DamagedError(DataError):
    """A file that is not as it says itself.

    Args:
        reason: What differs.
        sentence: Without the file's name.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class UnsafePickleError(DataError):
    """A pickle that asks for anything but arrays and plain containers."""


class UnavailableError(SkylobeError):
    """Data that is neither in the cache, nor in the mirror, nor on the network."""

    exit_code = 4


class ConfigError(SkylobeError):
    """Settings that contradict each other or the data."""

    exit_code = 2


class CheckpointError(SkylobeError):
    """A checkpoint or model that cannot be read by this version."""

    exit_code = 5


class CollapseError(SkylobeError):
    """Pre-training whose features have become constant."""

    exit_code = 6


class TrainingError(SkylobeError):
    """Fine-tuning whose loss is no longer a number."""

    exit_code = 8


class DeviceMemoryError(SkylobeError):
    """A GPU or computer whose memory is full."""

    exit_code = 10


class StorageError(SkylobeError):
    """A disk that is full or a folder that cannot be written."""

    exit_code = 7


class BusyError(StorageError):
    """A place that another process is writing to."""

    transient = True


class MissingExtraError(SkylobeError):
    """An optional package that is not installed."""

    exit_code = 9


class PositionError(DataError):
    """Text or numbers that name no place on the sky."""


class OutsideFootprintError(UnavailableError):
    """A position that the survey never observed."""


class NoPixelsError(UnavailableError):
    """A position inside a survey's footprint of which the service has no pixels."""


class ServiceDownError(UnavailableError):
    """A service that cannot be reached or answers with an error of its own.

    Args:
        message: What happened and what to do.
        retry_after: Seconds the service asked to be left alone; ``None`` if it did not say.
        transient: False if asking again cannot help.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, transient: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.transient = transient


class UnreachableError(ServiceDownError):
    """A service to which there is no way: no network, no such host, or nobody who listens."""


class ServiceTimeoutError(UnavailableError):
    """A service that does not answer in time."""

    transient = True


class NonsenseError(UnavailableError):
    """An answer that is not the cut-out asked for: a web page, a truncated file, another size."""

    transient = True
