"""A corpus to the images of each step, on the training device.

A corpus that fits lives there as it is stored, cut to the square that views can reach. A larger one
streams through in windows of shuffled sources, one in use while a thread fetches the next. Either way a
step's work is that of its batch, and which sources it shows depends on the seed and the step alone.
"""

import math
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from skylobe.images.image_set import ImageSet
from skylobe.learning.devices import Part, available_bytes, send
from skylobe.learning.schedule import Plan, batch_places, batch_sources, sources_at
from skylobe.learning.settings import ViewConfig

SHARE = 0.5  # of the memory found free that a corpus may take; the network needs the rest
WINDOW = 65_536  # sources shuffled together when streaming: 0.7 GB of 102×102 pixels


def image_rows(image_set: ImageSet) -> Tensor:
    """Tabulate the images of each source: ``(source, image)``, repeated to the longest row."""
    rows: dict[str, list[int]] = {}
    for row, source_id in enumerate(image_set.source_ids.tolist()):
        rows.setdefault(source_id, []).append(row)
    width = max(map(len, rows.values()))
    return torch.tensor([(found * width)[:width] for found in rows.values()])


def reachable_pix(views: ViewConfig) -> int:
    """Give the width of the central square that views can show, with a pixel for interpolation.

    >>> reachable_pix(ViewConfig()), reachable_pix(ViewConfig(rotation=0.0))
    (101, 72)
    """
    turned = math.sqrt(2) if views.rotation else 1.0
    return math.ceil(views.crop_pix * turned) + 2


def central(images: Tensor, views: ViewConfig) -> Tensor:
    """Show the central square of stored images that views can reach, without copying.

    Of an even image the square is even and of an odd one odd, so that the centre stays where it is.
    """
    for axis in (2, 3):
        size = images.shape[axis]
        width = reachable_pix(views)
        width = min(size, width + (size - width) % 2)
        images = images.narrow(axis, (size - width) // 2, width)
    return images


class Stored(NamedTuple):
    """A corpus as it is stored.

    Args:
        images: Cut to what views reach; memory-mapped if they exceed the memory.
        rows: Images of each source.
    """

    images: Tensor
    rows: Tensor


class Resident:
    """A corpus that lives on the device.

    Args:
        stored: The corpus.
        plan: Sizes of batches and epochs.
        seed: Of the order.
        device: Where training computes.
        part: This device's share.
    """

    window: int | None = None

    def __init__(
        self, stored: Stored, plan: Plan, seed: int, device: torch.device, part: Part
    ) -> None:
        self._images, self._rows = stored.images.to(device), stored.rows
        self._plan, self._seed, self._part = plan, seed, part

    def pairs(self, step: int, picks: Tensor) -> tuple[Tensor, Tensor]:
        """Give two images of each of this device's sources of a step.

        Args:
            step: Number of the step.
            picks: ``(2, batch)``: which of its images each source of the whole batch shows.
        """
        sources = self._part.of(batch_sources(step, self._plan, self._seed))
        rows = send(self._rows[sources, self._part.of(picks)], self._images.device)
        return self._images[rows[0]], self._images[rows[1]]


@dataclass(frozen=True)
class _Window:
    """What a device holds of one window.

    Args:
        places: This device's places in the stream of epochs, rising.
        slots: Where the images of each place are in ``images``.
        images: ``(place, image, 1, height, width)``, on the device.
    """

    places: Tensor
    slots: Tensor
    images: Tensor


class Streamed:
    """A corpus that passes through the device, a window in use and one on its way.

    Args:
        stored: The corpus.
        plan: Sizes of batches and epochs.
        seed: Of the order.
        device: Where training computes.
        part: This device's share, which is all that it fetches.
        window: Sources that are shuffled together.
    """

    def __init__(
        self,
        stored: Stored,
        plan: Plan,
        seed: int,
        device: torch.device,
        part: Part,
        window: int,
    ) -> None:
        self.window: int | None = window
        self._images, self._rows, self._device = stored.images, stored.rows, device
        self._plan, self._seed, self._part, self._width = plan, seed, part, window
        self._per_epoch = -(-plan.n_sources // window)
        self._held: dict[int, Future[_Window]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feeding")
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def pairs(self, step: int, picks: Tensor) -> tuple[Tensor, Tensor]:
        """Give two images of each of this device's sources of a step, as ``Resident`` does."""
        every = batch_places(step, self._plan)
        places = self._part.of(torch.arange(every.start, every.stop))
        first, last = self._number(every.start), self._number(every.stop - 1)
        self._hold(range(first, last + 1), beside=step + 1 < self._plan.n_steps)
        picks = self._part.of(picks)
        parts = [self._pick(number, places, picks) for number in range(first, last + 1)]
        images = torch.cat(parts, 1) if len(parts) > 1 else parts[0]
        return images[0], images[1]

    def _number(self, place: int) -> int:
        """Number the window that a place is in, counting through all epochs."""
        epoch, inside = divmod(place, self._plan.n_sources)
        return epoch * self._per_epoch + inside // self._width

    def _range(self, number: int) -> range:
        """Give a window's places."""
        epoch, inside = divmod(number, self._per_epoch)
        start = epoch * self._plan.n_sources
        stop = start + self._plan.n_sources
        return range(start + inside * self._width, min(stop, start + (inside + 1) * self._width))

    def _hold(self, needed: range, *, beside: bool) -> None:
        """Drop what is done with and fetch what is needed; one window ahead if there is room."""
        for number in [one for one in self._held if one not in needed and one != needed.stop]:
            self._held.pop(number).cancel()
        ahead = [needed.stop] if beside and len(needed) == 1 else []
        for number in [*needed, *ahead]:
            if number not in self._held:
                self._held[number] = self._thread.submit(self._fetch, number)

    def _fetch(self, number: int) -> _Window:
        """Read this device's share of a window and put it on the device; runs in the thread."""
        every = self._range(number)
        places = torch.arange(every.start, every.stop)
        sources = sources_at(every, self._plan.n_sources, self._seed, self._width)
        mine = places % self._plan.batch_size % self._part.n_devices == self._part.rank
        order = sources[mine].argsort()  # as they are stored: read from front to back
        images = self._images[self._rows[sources[mine][order]]]
        return _Window(places[mine], send(order.argsort(), self._device), self._upload(images))

    def _upload(self, images: Tensor) -> Tensor:
        """Copy to a GPU beside its computations; the thread waits for the copy, the loop does not."""
        if self._stream is None:
            return images
        pinned = images.pin_memory()
        with torch.cuda.stream(self._stream):
            on_device = pinned.to(self._device, non_blocking=True)
        self._stream.synchronize()
        # freed on the loop's stream: its memory must not be reused before the loop has read it
        on_device.record_stream(torch.cuda.default_stream(self._device))
        return on_device

    def _pick(self, number: int, places: Tensor, picks: Tensor) -> Tensor:
        """Take the two images of those of the places that are in a window."""
        window, every = self._held[number].result(), self._range(number)
        inside = (places >= every.start) & (places < every.stop)
        at = torch.searchsorted(window.places, places[inside])
        at, picks = send(torch.cat([at[None], picks[:, inside]]), self._device).split([1, 2])
        return window.images[window.slots[at], picks]


Feed = Resident | Streamed


def fits(corpus: ImageSet, views: ViewConfig, device: torch.device) -> bool:
    """Tell whether the part of a corpus that views reach may live on the device."""
    images = central(corpus.images, views)
    return images.numel() * images.element_size() <= SHARE * available_bytes(device)


def feed(
    stored: Stored,
    plan: Plan,
    seed: int,
    device: torch.device,
    part: Part,
    window: int | None,
) -> Feed:
    """Let a corpus live on the device, or stream in windows of at least a batch.

    Args:
        stored: The corpus.
        plan: Sizes of batches and epochs.
        seed: Of the order.
        device: Where training computes.
        part: This device's share.
        window: Sources that are shuffled together; ``None`` for all.
    """
    if window is None or window >= plan.n_sources:
        return Resident(stored, plan, seed, device, part)
    return Streamed(stored, plan, seed, device, part, max(window, plan.batch_size))
