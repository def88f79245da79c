"""What is typed of an id finds it, or is answered with what may be meant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.making import embeddings_of, small_model
from skylobe.search.names import Names, UnknownSourceError
from skylobe.search.queries import Doors
from skylobe.search.store import SourceIndex

RNG = np.random.default_rng(5)
DIGITS = RNG.integers(0, 10, (3000, 12)).astype(str)
IDS = np.unique([f"J{''.join(one[:6])}.{one[6]}+{''.join(one[7:])}" for one in DIGITS])


@pytest.fixture(scope="module")
def names():
    return Names(IDS)


@given(row=st.integers(0, len(IDS) - 1), at=st.integers(1, 13), data=st.data())
def test_a_slip_anywhere_is_offered_as_it_should_be(names, row, at, data):
    true = str(IDS[row])
    kind = data.draw(st.sampled_from(["left out", "doubled", "another"]))
    wrong = {
        "left out": true[:at] + true[at + 1 :],
        "doubled": true[:at] + true[at] + true[at:],
        "another": true[:at] + ("x" if true[at] != "x" else "y") + true[at + 1 :],
    }[kind]
    assert true in names.alike(wrong.lower())


@given(row=st.integers(0, len(IDS) - 1), length=st.integers(1, 15))
def test_a_beginning_gives_all_that_begin_so(names, row, length):
    begun = str(IDS[row])[:length]
    found = names.beginning(begun.swapcase())
    assert sorted(found) == [at for at, one in enumerate(IDS) if one.startswith(begun)]


def test_an_id_that_begins_another_is_itself():
    assert Names(np.array(["S10", "S1", "S100"])).beginning("s10").tolist() == [0]


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    from dataclasses import replace

    from astropy.coordinates import SkyCoord

    from conftest import lobes

    place = SkyCoord(["14h37m42.72s -00d15m03.6s", "14h37m50s -00d15m03.6s"])
    ids = np.array(["J143742.72-001503.6", "J143750.00-001503.6"])
    images = replace(lobes(2), positions=place, source_ids=ids)
    made = SourceIndex.create(
        tmp_path_factory.mktemp("i") / "i", images, embeddings_of(images), small_model()
    )
    return Doors(made, lambda: pytest.fail("no image is embedded"))


@pytest.mark.parametrize(
    "text",
    [
        "J143742-001503",  # cut to whole seconds, as names are: 10.8″ off
        "j143742 -001503",
        "NVSS J143742-001503",
        "j143742.72-0015",
        "J143742.72-001503.6",
    ],
)
def test_a_name_that_is_cut_short_is_its_source(doors, text):
    assert doors.named(text).name == "J143742.72-001503.6"


def test_what_is_not_there_is_answered_with_what_is_near(doors):
    with pytest.raises(UnknownSourceError, match="no source within 10″") as caught:
        doors.named("J143744-001503")
    assert caught.value.instead == ("J143742.72-001503.6",)
    with pytest.raises(UnknownSourceError, match="2 ids of the index begin so") as caught:
        doors.named("J1437")
    assert len(caught.value.instead) == 2
    with pytest.raises(UnknownSourceError, match=r"did you mean J143742\.72-001503\.6"):
        doors.named("J143742.72-0x1503.6")
