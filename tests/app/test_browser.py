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
from astropy.table import Table

from app.serving_index import served
from app.small_index import N, name
from conftest import lobes

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE, PHONE = (1400, 900), (390, 844)

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
def opened(browser, address, size=WIDE):
    """Open the app; whatever the console says, or asks of another host, is an error."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height})
    said, hosts = [], set()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(address)
    page.locator("#gallery .card").first.wait_for()
    yield page
    assert said == []
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
    page.wait_for_function("() => document.querySelector('#asked .chip') !== null")
    return answer.value.json()


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


def test_an_error_is_told_in_a_sentence(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.locator("#gallery .card").first.wait_for()
    page.fill("#box", "/etc/passwd")
    page.keyboard.press("Enter")
    page.locator("#notice").wait_for()
    assert "neither a source of the index" in page.locator("#notice").inner_text()
    page.close()


def test_an_image_is_dropped(browser, address):
    from PIL import Image

    file = io.BytesIO()
    pixels = np.ascontiguousarray(lobes(N).images[7, 0].numpy()[::-1])
    Image.fromarray(pixels).save(file, "PNG")
    with opened(browser, address) as page:
        given = {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
        page.set_input_files("#file", given)
        page.wait_for_function(
            "() => document.querySelector('#asked').innerText.includes('mine.png')"
        )
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
            page.select_option("#colour", "label")
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


def wait_for_another(page, shown):
    page.wait_for_function(
        "id => document.querySelector('#current h2').innerText !== id", arg=shown
    )


def test_sources_are_tagged_with_keys_and_taken_away(browser, address, place):
    with opened(browser, address) as page:
        page.click("#tab-label")
        page.locator("#current h2").wait_for()
        for tag in ("single", "double"):
            page.keyboard.press("n")
            page.keyboard.type(tag)
            page.keyboard.press("Enter")
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
