"""The app as a person uses it, in Chromium; screenshots lie in ``artefacts/``."""

import base64
import contextlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from app.serving_index import served
from app.small_index import N, name
from conftest import lobes

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE, PHONE = (1400, 900), (390, 844)
REFUSAL = "the server responded with a status of 422"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the server keeps its tags."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def address(folder, place):
    with served(folder, place, "--token", "c0rrecthorse") as found:
        yield found


@contextlib.contextmanager
def opened(browser, address, size=WIDE, refused=0):
    """Open the app; whatever the console says but refusals, or asks of another host, is an error."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height})
    said, hosts = [], set()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(address)
    page.locator("#gallery .card").first.wait_for()
    yield page
    assert [one for one in said if REFUSAL not in one] == []
    assert len(said) == refused
    assert {one for one in hosts if one and "base64" not in one} == {address.split("/")[2]}
    page.close()


def shoot(page, called):
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{called}.png")


def saved(page, button):
    with page.expect_download() as download:
        button.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def found_ids(page, gallery="#gallery"):
    return page.locator(f"{gallery} .facts b").all_inner_texts()


def search(page, text):
    page.fill("#box", text)
    with page.expect_response("**/api/search") as answer:
        page.keyboard.press("Enter")
    settle(page)
    return answer.value.json()


def settle(page):
    """Wait until the answer of the present question is shown."""
    page.locator("#gallery:not([aria-busy])").wait_for()


def test_a_coordinate_is_searched_marked_filtered_and_downloaded(browser, address):
    with opened(browser, address) as page:
        shoot(page, "search_start")
        answer = search(page, "00:40:00 +24:00:00")
        assert answer["query"]["name"] == name(4)
        assert found_ids(page) == [one["id"] for one in answer["answers"]]
        shoot(page, "search")
        first = page.locator("#gallery .card").first
        assert first.locator(".picture img").evaluate("image => image.naturalWidth") == 70
        assert (
            first.get_by_role("link", name="SIMBAD").get_attribute("rel") == "noopener noreferrer"
        )
        first.get_by_role("button", name="More like").click()
        page.locator("#asked .chip").nth(1).wait_for()
        page.locator("#gallery .card").last.get_by_role("button", name="Less like").click()
        page.locator("#asked .chip.unlike").wait_for()
        page.locator("#filters summary").click()
        page.fill("#where", "label = 'two'")
        page.fill("#size-from", "30")
        with page.expect_response("**/api/search") as narrowed:
            page.get_by_role("button", name="Search", exact=True).click()
        asked = json.loads(narrowed.value.request.post_data)
        assert len(asked["like"]) == 2
        assert len(asked["unlike"]) == 1
        page.wait_for_function(
            "() => !document.querySelector('#gallery').innerText.includes('one')"
        )
        shoot(page, "search_filtered")
        called, data = saved(page, page.locator("#save-found button"))
        assert called == "sources.csv"
        table = Table.read(data.decode(), format="ascii.csv")
        assert list(table["id"]) == found_ids(page)
        assert set(table["label"]) == {"two"}


def test_a_result_is_searched_from_with_the_keyboard(browser, address):
    with opened(browser, address) as page:
        page.keyboard.press("/")
        page.keyboard.type(name(4))
        page.keyboard.press("Enter")
        page.locator("#asked .chip").wait_for()
        settle(page)
        page.locator("#gallery .picture").first.focus()
        page.keyboard.press("ArrowRight")
        second = found_ids(page)[1]
        page.keyboard.press("Enter")
        page.wait_for_function(
            "id => document.querySelector('#asked').innerText.includes(id)", arg=second
        )
        page.locator("#tab-search").focus()
        page.keyboard.press("ArrowRight")
        page.locator("#canvas").wait_for()


def refuse(page, action):
    """Do what is refused; gives the sentence that stands in the answer's place."""
    with page.expect_response(lambda answer: answer.status == 422):
        action()
    page.locator("#found.failed").wait_for()
    return page.locator("#found").inner_text()


def filter_by(page, **fields):
    if page.locator("#where").is_hidden():
        page.locator("#filters summary").click()
    for field, value in fields.items():
        page.fill(f"#{field.replace('_', '-')}", value)
    page.get_by_role("button", name="Search", exact=True).click()


def send(page, called, data):
    kind = {"name": called, "mimeType": "application/octet-stream", "buffer": data}
    page.set_input_files("#file", kind)


FAILURES = {
    "no such name": (lambda page: page.fill("#box", "/etc/passwd") or page.keyboard.press("Enter"),
                     "neither a source of the index", ["/etc/passwd"]),
    "nothing there": (lambda page: page.fill("#box", "10.0 -70.0") or page.keyboard.press("Enter"),
                      "has no source within 10″", ["10.0 -70.0"]),
    "empty filter": (lambda page: filter_by(page, size_from="5000"),
                     "No source", [name(4)]),
    "bad filter": (lambda page: filter_by(page, where="labl = 'two'"),
                   "cannot be read at 'labl'", [name(4)]),
    "bad cone": (lambda page: filter_by(page, cone="nowhere"), "no position", [name(4)]),
    "refused upload": (lambda page: send(page, "notes.txt", b"no image"),
                       "notes.txt: not a FITS, PNG or JPEG image", ["notes.txt"]),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_no_answer_stands_under_another_question(browser, address, failure):
    action, sentence, chips = FAILURES[failure]
    with opened(browser, address, refused=1) as page:
        search(page, name(4))
        found = found_ids(page)
        said = refuse(page, lambda: action(page))
        assert sentence in said
        for word in ("--", "survey=", "resolve"):  # nothing that only the terminal knows
            assert word not in said
        assert found_ids(page) == []
        assert page.locator("#asked .chip b").all_inner_texts() == chips
        assert page.locator("#save-found").is_hidden()
        shoot(page, f"search_{failure.replace(' ', '_')}")
        page.click("#tab-map")
        page.locator("#selected.failed").wait_for()
        assert sentence in page.locator("#selected").inner_text()
        page.go_back()
        page.go_back()
        page.locator("#gallery .card").first.wait_for()
        assert found_ids(page) == found
        assert page.locator("#found.failed").count() == 0


def test_an_image_that_is_too_large_is_refused_in_its_place(browser, address):
    with opened(browser, address) as page:
        search(page, name(4))
        send(page, "all.fits", bytes(16_000_001))
        page.locator("#found.failed").wait_for()
        assert "cut out the source first" in page.locator("#found").inner_text()
        assert found_ids(page) == []


def test_an_answer_that_comes_late_is_not_shown(browser, address):
    with opened(browser, address) as page:
        held = []
        page.route(
            "**/api/search",
            lambda route: held.append(route) if not held else route.continue_(),
        )
        page.fill("#box", name(4))
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('#asked .chip') !== null")
        page.wait_for_function(
            "() => getComputedStyle(document.querySelector('#gallery')).opacity === '0'"
        )
        answer = search(page, name(5))
        held[0].abort()
        page.wait_for_timeout(100)
        assert found_ids(page) == [one["id"] for one in answer["answers"]]
        assert page.locator("#found.failed").count() == 0


def test_a_slip_is_offered_as_it_should_be(browser, address):
    with opened(browser, address, refused=2) as page:
        refuse(page, lambda: page.fill("#box", "syntetic-4") or page.keyboard.press("Enter"))
        offered = page.locator("#instead button")
        assert name(4) in offered.all_inner_texts()
        shoot(page, "search_did_you_mean")
        with page.expect_response("**/api/search") as answer:
            offered.get_by_text(name(4), exact=True).click()
        assert answer.value.json()["query"]["name"] == name(4)
        page.locator("#gallery .card").first.wait_for()
        assert page.locator("#instead").is_hidden()
        refuse(page, lambda: page.fill("#box", "SYNTH") or page.keyboard.press("Enter"))
        assert "60 ids of the index begin so" in page.locator("#found").inner_text()
        search(page, name(41).upper())
        assert page.locator("#asked .chip b").inner_text() == name(41)


def test_the_address_holds_the_question(browser, address):
    with opened(browser, address) as page:
        start = page.url
        first = found_ids(page)
        page.reload()
        page.locator("#gallery .card").first.wait_for()
        assert found_ids(page) == first
        search(page, "00:40:00 +24:00:00")
        one = found_ids(page)
        page.locator("#gallery .card").nth(1).get_by_role("button", name="More like").click()
        page.locator("#asked .chip").nth(1).wait_for()
        with page.expect_response("**/api/search"):
            filter_by(page, where="label = 'two'", size_from="30")
        settle(page)
        marked = found_ids(page)
        chips = page.locator("#asked .chip b").all_inner_texts()
        link = page.url
        page.reload()
        page.locator("#gallery .card").first.wait_for()
        assert found_ids(page) == marked
        assert page.locator("#asked .chip b").all_inner_texts() == chips
        assert page.input_value("#where") == "label = 'two'"
        assert page.input_value("#size-from") == "30"
        assert page.locator("#asked .chip img").count() == 2
        page.go_back()
        page.go_back()
        page.locator("#asked .chip").nth(1).wait_for(state="detached")
        settle(page)
        assert found_ids(page) == one
        assert page.input_value("#box") == "00:40:00 +24:00:00"
        page.go_back()
        page.locator("#asked .chip").wait_for(state="detached")
        settle(page)
        assert found_ids(page) == first
        assert page.url == start
        page.goto(link)
        page.locator("#asked .chip").nth(1).wait_for()
        settle(page)
        assert found_ids(page) == marked


def test_sources_are_browsed_by_a_filter_alone(browser, address):
    with opened(browser, address) as page:
        page.locator("#filters summary").click()
        page.select_option("#order", "-size_arcsec")
        page.select_option("#count", "12")
        with page.expect_response("**/api/browse"):
            filter_by(page, where="label = 'two'")
        page.locator("#found", has_text="30 of 60 sources pass the filter").wait_for()
        assert found_ids(page) == [name(row) for row in range(59, 35, -2)]
        page.get_by_role("button", name="After").focus()
        page.keyboard.press("Enter")
        page.locator("#pages", has_text="13–24").wait_for()
        settle(page)
        assert page.evaluate("document.activeElement.dataset.key") == "after"
        assert found_ids(page) == [name(row) for row in range(35, 11, -2)]
        shoot(page, "search_browsed")
        page.reload()
        page.locator("#pages", has_text="13–24").wait_for()
        assert found_ids(page) == [name(row) for row in range(35, 11, -2)]
        _, data = saved(page, page.locator("#save-found button"))
        table = Table.read(data.decode(), format="ascii.csv")
        assert list(table["id"]) == [name(row) for row in range(59, 0, -2)]


def test_the_focus_stays_where_it_was(browser, address):
    with opened(browser, address) as page:
        held = "document.activeElement.dataset.key ?? document.activeElement.id"
        search(page, name(4))
        assert page.evaluate(held) == "box"
        page.locator("#gallery .picture").nth(2).focus()
        page.keyboard.press("Enter")
        settle(page)
        page.wait_for_function("() => document.activeElement.className === 'picture'")
        second = found_ids(page)[1]
        page.locator("#gallery .like").nth(1).focus()
        page.keyboard.press("Enter")
        page.locator("#asked .chip").nth(1).wait_for()
        settle(page)
        assert page.evaluate(held).split()[0] in ("search", "like")  # the marked source is gone
        page.locator("#asked button").nth(1).focus()
        page.keyboard.press("Enter")
        page.locator("#asked .chip").nth(1).wait_for(state="detached")
        settle(page)
        assert page.evaluate(held) != ""
        assert second in found_ids(page)


def test_an_image_is_dropped(browser, address):
    file = io.BytesIO()
    pixels = np.ascontiguousarray(lobes(N).images[7, 0].numpy()[::-1])
    Image.fromarray(pixels).save(file, "PNG")
    with opened(browser, address) as page:
        given = {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
        page.set_input_files("#file", given)
        page.wait_for_function(
            "() => document.querySelector('#asked').innerText.includes('mine.png')"
        )
        settle(page)
        assert found_ids(page)[0] == name(7)
        page.evaluate(
            """data => {
                const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
                const moved = new DataTransfer();
                moved.items.add(new File([bytes], "dropped.png"));
                const given = { dataTransfer: moved, bubbles: true, cancelable: true };
                document.body.dispatchEvent(new DragEvent("dragover", given));
                document.body.dispatchEvent(new DragEvent("drop", given));
            }""",
            base64.b64encode(file.getvalue()).decode(),
        )
        page.wait_for_function(
            "() => document.querySelector('#asked').innerText.includes('dropped.png')"
        )
        shoot(page, "search_upload")


@pytest.mark.parametrize("tool", ["lasso", "box"])
def test_points_of_the_map_are_chosen_and_downloaded(browser, address, tool):
    with opened(browser, address) as page:
        search(page, name(4))
        with page.expect_response("**/api/map/picture*"):
            page.click("#tab-map")
        with page.expect_response("**/api/map/picture*"):
            page.select_option("#colour", "size_arcsec")
        page.check(f"input[value={tool}]", force=True)
        frame = page.locator("#canvas").bounding_box()

        def at(right, down):
            return frame["x"] + right * frame["width"], frame["y"] + down * frame["height"]

        page.mouse.move(*at(0.02, 0.02))
        page.mouse.down()
        corners = [(0.98, 0.98)] if tool == "box" else [(0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]
        for corner in corners:
            page.mouse.move(*at(*corner), steps=8)
        with page.expect_response("**/api/map/selection") as chosen:
            page.mouse.up()
        assert chosen.value.json()["count"] == N
        page.locator("#selection .card").first.wait_for()
        assert len(found_ids(page, "#selection")) == N
        page.wait_for_timeout(300)
        shoot(page, f"map_{tool}")
        page.select_option("#save-selected select", ".vot")
        called, data = saved(page, page.locator("#save-selected button"))
        assert called == "sources.vot"
        assert len(Table.read(io.BytesIO(data), format="votable")) == N


def test_the_map_is_moved_and_pointed_at(browser, address):
    with opened(browser, address) as page:
        with page.expect_response("**/api/map/picture*") as first:
            page.click("#tab-map")
        page.locator("#canvas").focus()
        for key in ("+", "ArrowLeft", "-", "ArrowDown"):
            page.keyboard.press(key)
        with page.expect_response("**/api/map/picture*") as later:
            page.keyboard.press("0")
        assert first.value.url == later.value.url
        ask = "path => fetch(path).then((answer) => answer.json())"
        source = page.evaluate(ask, f"/api/source?id={name(8)}")
        here = page.evaluate(ask, "/api/map")
        frame = page.locator("#canvas").bounding_box()
        x0, x1, y0, y1 = here["extent"]
        unit = max((x1 - x0) / frame["width"], (y1 - y0) / frame["height"])
        right = frame["x"] + frame["width"] / 2 + (source["x"] - (x0 + x1) / 2) / unit
        down = frame["y"] + frame["height"] / 2 - (source["y"] - (y0 + y1) / 2) / unit
        page.mouse.move(right, down)
        page.locator("#hover b").wait_for()
        shoot(page, "map_hover")
        with page.expect_response("**/api/search"):
            page.mouse.click(right, down)
        page.locator("#selection .card").first.wait_for()
        shoot(page, "map_search")


def test_what_is_chosen_on_the_map_is_in_the_address(browser, address):
    with opened(browser, address) as page:
        search(page, name(4))
        with page.expect_response("**/api/map/picture*"):
            page.click("#tab-map")
        page.locator("#legend i").first.wait_for()  # coloured from the first
        assert page.input_value("#colour") == "label"
        with page.expect_response("**/api/map/picture*"):
            page.select_option("#colour", "size_arcsec")
        page.locator("#legend", has_text="″").wait_for()
        page.click("#zoom-in")
        with page.expect_response("**/api/map/selection"):
            page.click("#select-view")
        page.locator("#selected", has_text="sources selected").wait_for()
        page.locator("#selection .card").first.wait_for()
        chosen, link = found_ids(page, "#selection"), page.url
        page.reload()
        page.locator("#selection .card").first.wait_for()
        assert found_ids(page, "#selection") == chosen
        assert page.url == link
        assert page.input_value("#colour") == "size_arcsec"
        page.go_back()
        page.locator("#selected", has_text=f"most like {name(4)}").wait_for()
        page.go_back()
        page.locator("#legend i").first.wait_for()


BRIGHT = """() => {
    const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    Object.assign(copy.canvas, { width: 560, height: 560 });
    copy.drawImage(document.querySelector("#source-body canvas"), 0, 0);
    const { data } = copy.getImageData(0, 0, 560, 560);
    return data.filter((value, at) => at % 4 === 0 && value > 200).length;
}"""


def test_a_source_has_a_page(browser, address):
    with opened(browser, address) as page:
        search(page, name(4))
        link = page.locator("#gallery .facts a").first
        one = link.inner_text()
        link.focus()
        page.keyboard.press("Enter")
        page.locator("#source-body tr").first.wait_for()
        page.locator("#source-body .strip button").nth(7).wait_for()
        assert page.locator("#source-name").inner_text() == one
        told = dict(row.inner_text().split("\t") for row in page.locator("#source-body tr").all())
        assert {"position", "ra", "dec", "size_arcsec", "label", "pixel_scale"} <= set(told)
        page.wait_for_function(f"() => ({BRIGHT})() > 0")
        before = page.evaluate(BRIGHT)
        with page.expect_response("**/api/source/picture*"):
            page.select_option("#stretch", "faint")
        page.wait_for_function(f"was => ({BRIGHT})() > was", arg=before)
        shoot(page, "source")
        called, data = saved(page, page.get_by_role("button", name="PNG"))
        assert called == f"{one}.png"
        assert Image.open(io.BytesIO(data)).size == (560, 560)
        called, data = saved(page, page.get_by_role("button", name="FITS"))
        assert called == f"{one}.fits"
        with fits.open(io.BytesIO(data)) as hdus:
            assert hdus[0].header["CRVAL1"] == pytest.approx(float(told["ra"]))
            assert hdus[0].header["CDELT2"] == pytest.approx(1.8 / 3600)
            assert "BUNIT" not in hdus[0].header
        with page.expect_response("**/api/source?*"):
            page.locator("#source-body .strip button").first.click()
        page.wait_for_function(
            "was => document.querySelector('#source-name').innerText !== was", arg=one
        )
        page.reload()
        page.locator("#source-body tr").first.wait_for()
        page.go_back()
        page.locator("#source-name", has_text=one).wait_for()
        page.keyboard.press("Escape")
        page.locator("#source").wait_for(state="hidden")
        assert "source=" not in page.url


def test_a_source_that_is_not_there_says_so_on_its_page(browser, address):
    with opened(browser, address, refused=1) as page:
        page.evaluate("() => { location.hash = 'search?source=nobody'; }")
        page.locator("#source-body .failed").wait_for()
        assert "nobody: no source of that name" in page.locator("#source-body").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser, folder, tmp_path, scheme):
    """WCAG 2.1 AA as axe-core judges it: every page, in both themes."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    found = {}

    def judge(page, called):
        for one in axe.run(page, options=rules).response["violations"]:
            found[f"{called}: {one['id']}"] = [each["html"] for each in one["nodes"]]

    with served(folder, tmp_path) as own, opened(browser, own, refused=1) as page:
        page.emulate_media(color_scheme=scheme)
        search(page, name(4))
        page.locator("#filters summary").click()
        page.locator("#gallery .like").first.click()
        page.locator("#asked .chip").nth(1).wait_for()
        settle(page)
        judge(page, "search")
        page.locator("#gallery .facts a").first.click()
        page.locator("#source-body .strip button").nth(7).wait_for()
        judge(page, "source")
        page.keyboard.press("Escape")
        page.click("#tab-map")
        page.locator("#legend i").first.wait_for()
        page.click("#select-view")
        page.locator("#selection .card").first.wait_for()
        judge(page, "map")
        page.click("#tab-label")
        page.locator("#current h2").wait_for()
        for tag in ("single", "double"):
            make_tag(page, tag)
            page.keyboard.press("1" if tag == "single" else "2")
            page.locator("#current .tag", has_text=tag).wait_for()
            page.keyboard.press("Enter")
            page.locator("#current .tag").wait_for(state="detached")
        judge(page, "label")
        page.click("#tab-search")
        refuse(page, lambda: page.fill("#box", "syntetic-4") or page.keyboard.press("Enter"))
        judge(page, "failed")
    assert found == {}


def wait_for_another(page, shown):
    page.wait_for_function(
        "id => document.querySelector('#current h2').innerText !== id", arg=shown
    )


def test_sources_are_tagged_with_keys_and_taken_away(browser, address, place):
    with opened(browser, address) as page:
        page.click("#tab-label")
        page.locator("#current h2").wait_for()
        for key, tag in enumerate(("single", "double"), 1):
            make_tag(page, tag)
            assert page.locator("#current .tag").count() == 0  # made, and not set by that
            page.keyboard.press(str(key))
            page.locator("#current .tag", has_text=tag).wait_for()
            shown = page.locator("#current h2").inner_text()
            page.keyboard.press("ArrowRight")
            wait_for_another(page, shown)
        for turn in range(14):
            shown = page.locator("#current h2").inner_text()
            page.keyboard.press(str(1 + turn % 2))
            page.locator("#current .tag").wait_for()
            page.keyboard.press("Enter")
            wait_for_another(page, shown)
        assert "Learnt 2 tags" in page.locator("#learnt").inner_text()
        kept = json.loads((place / "tags.json").read_text())["sources"]
        assert len(kept) == 16
        page.keyboard.press("1")
        page.locator("#current .tag").wait_for()
        page.keyboard.press("u")
        page.locator("#current .tag").wait_for(state="detached")
        assert json.loads((place / "tags.json").read_text())["sources"] == kept
        shoot(page, "label")
        called, data = saved(page, page.locator("#training"))
        assert called == "training_table.zip"
        assert "sources.csv" in zipfile.ZipFile(io.BytesIO(data)).namelist()
        called, data = saved(page, page.locator("#save-tagged button"))
        assert len(Table.read(data.decode(), format="ascii.csv")) == 16


def make_tag(page, tag):
    page.keyboard.press("n")
    page.keyboard.type(tag)
    page.keyboard.press("Enter")
    page.locator("#tags button", has_text=tag).wait_for()


def keys_of_tags(page):
    rows = page.locator("#tags button").all()
    return {row.locator("span").first.inner_text(): row.locator("kbd").inner_text() for row in rows}


def test_keys_stay_with_their_tags(browser, folder, tmp_path):
    with served(folder, tmp_path) as own, opened(browser, own) as page:
        page.click("#tab-label")
        page.locator("#current h2").wait_for()
        first = page.locator("#current h2").inner_text()
        told = page.locator("#current")
        assert "catalogue" not in told.inner_text()  # nobody is told what to say
        page.check("#unblind")
        assert "catalogue" in told.inner_text()
        page.locator("#unblind").uncheck()
        for tag in ("compact", "2"):  # a number as a name takes no other's place
            make_tag(page, tag)
        page.keyboard.press("1")
        page.locator("#current .tag", has_text="compact").wait_for()
        page.keyboard.press("Enter")
        wait_for_another(page, first)
        page.keyboard.press("2")
        page.locator("#current .tag").wait_for()
        page.keyboard.press("ArrowLeft")
        page.locator("#current h2", has_text=first).wait_for()
        make_tag(page, "double")
        page.keyboard.press("3")  # on the source that was looked at first
        page.locator("#current .tag", has_text="double").wait_for()
        page.keyboard.press("1")  # nobody is compact any more
        page.locator("#current .tag", has_text="compact").wait_for(state="detached")
        expected = {"compact": "1", "2": "2", "double": "3"}
        assert keys_of_tags(page) == expected
        page.reload()
        page.locator("#current h2").wait_for()
        assert keys_of_tags(page) == expected
        make_tag(page, "dobule")
        page.keyboard.press("u")
        page.locator("#tags button", has_text="dobule").wait_for(state="detached")
        assert keys_of_tags(page) == expected
        kept = json.loads((tmp_path / "tags.json").read_text())
        assert kept["keys"] == {"compact": 1, "2": 2, "double": 3}
        assert kept["sources"][first] == ["double"]


def test_a_key_is_for_the_source_that_was_seen(browser, folder, tmp_path):
    """Keys that come faster than the server answers tag nothing else."""
    with served(folder, tmp_path) as own, opened(browser, own) as page:
        page.click("#tab-label")
        page.locator("#current h2").wait_for()
        make_tag(page, "double")
        first = page.locator("#current h2").inner_text()
        page.evaluate(
            """() => {
                for (const key of ["1", "Enter", "Enter", "Enter"]) {
                    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
                }
            }"""
        )
        wait_for_another(page, first)
        page.locator("#progress", has_text="1 of").wait_for()
        assert json.loads((tmp_path / "tags.json").read_text())["sources"] == {first: ["double"]}


def test_narrow_screens_show_everything(browser, address):
    with opened(browser, address, PHONE) as page:
        search(page, name(4))
        for view in ("search", "map", "label"):
            page.click(f"#tab-{view}")
            page.wait_for_timeout(500)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
            shoot(page, f"phone_{view}")


def test_the_token_leaves_the_address(browser, address):
    assert address.endswith("/?token=c0rrecthorse")
    with opened(browser, address) as page:
        assert "token" not in page.url
    page = browser.new_page()
    page.goto(address.split("?")[0])
    assert "asks for its token" in page.content()
    page.close()
