"""The API as a program uses it."""

import base64
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image
from starlette.testclient import TestClient

from app.small_index import N, name
from conftest import lobes
from search.making import embeddings_of, small_model
from skylobe.app import limits
from skylobe.app.serving import build
from skylobe.app.state import open_state
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.table_formats import FORMATS
from skylobe.core.tables import read_catalogue
from skylobe.search import export, latent_map
from skylobe.search.queries import Doors
from skylobe.search.store import SourceIndex


def search(client, *like, **more):
    return client.post("/api/search", json={"like": list(like), **more})


def png_of(row):
    pixels = lobes(N).images[row, 0].numpy()[::-1]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return file.getvalue()


def test_it_says_what_it_serves(client):
    facts = client.get("/api/index").json()
    assert facts["sources"] == N
    assert facts["has_map"]
    assert facts["columns"]["size_arcsec"] == "number"
    assert "text/html" in client.get("/").headers["content-type"]
    assert client.get("/static/main.js").status_code == 200


def test_the_page_of_the_api_names_every_route_and_loads_nothing_from_elsewhere(client):
    page = client.get("/api/docs").text
    for path in client.get("/api/openapi.json").json()["paths"]:
        assert path in page
    for text in (page, client.get("/").text):
        assert "http://" not in text
        assert "https://" not in text


@pytest.mark.parametrize(
    "term", ["synthetic-4", "10.0 +24.0", "00:40:00 +24:00:00", "J004000.0+240000"]
)
def test_every_notation_finds_the_same(client, term):
    found = search(client, term, n=5).json()
    assert found["query"]["name"] == "synthetic-4"
    assert [one["rank"] for one in found["answers"]] == [1, 2, 3, 4, 5]
    similarity = [one["similarity"] for one in found["answers"]]
    assert similarity == sorted(similarity, reverse=True)
    assert name(4) not in {one["id"] for one in found["answers"]}
    first = found["answers"][0]
    picture = base64.b64decode(first["thumbnail"].split(",")[1])
    assert Image.open(io.BytesIO(picture)).size == (70, 70)
    assert first["x"] is not None
    assert first["links"]["SIMBAD"].startswith("https://simbad")
    assert first["facts"]["flux"] is None  # an unknown number is null


def test_marks_and_filters_narrow_the_answers(client):
    asked = {"unlike": [name(9)], "where": "label = 'two'", "sizes": [20, 80], "cone": "10 50"}
    found = search(client, name(4), name(6), **asked, cone_radius=15).json()["answers"]
    assert found
    assert {one["label"] for one in found} == {"two"}
    assert all(35 <= one["dec"] <= 65 and 20 <= one["size_arcsec"] <= 80 for one in found)


def test_an_image_that_is_sent_finds_itself(client):
    sent = client.post("/api/uploads?name=mine.png", content=png_of(7)).json()
    assert sent["name"] == "mine.png"
    found = search(client, sent["term"]).json()
    assert found["answers"][0]["id"] == name(7)
    assert found["query"]["x"] is not None
    assert search(client, "upload:unknown").status_code == 422


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"like": ["nothing"]}, "neither a source"),
        ({"like": []}, "like"),
        ({"like": [name(1)], "n": 10**6}, "less than or equal to 200"),
        ({"like": [name(1)], "where": "mass > 3"}, "on the columns id"),
        ({"like": [name(1)], "where": "label = 'x' OR 1=1 --"}, "cannot be read"),
        ({"like": [name(1)], "where": "label = 'x'; DROP TABLE sources"}, "cannot be read"),
        ({"like": [name(1)], "where": "label LIKE (SELECT id)"}, "cannot be read"),
        ({"like": [name(1)], "sizes": [5000, 6000]}, "widen them"),
        ({"like": [name(1)], "unknown": 1}, "unknown"),
        ({"like": ["200 -20"]}, "no source within 10″"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(client, asked, message):
    answer = client.post("/api/search", json=asked)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert message in error
    assert "\n" not in error


def test_no_file_is_searched_from_by_its_path(client, folder, tmp_path):
    inside = tmp_path / "mine.png"
    inside.write_bytes(png_of(3))
    for path in (str(inside), "/etc/passwd", "../../etc/passwd", f"{folder}/index.json"):
        answer = search(client, path)
        assert answer.status_code == 422
        assert "neither a source of the index" in answer.json()["error"]
    for path in ("/static/../serving.py", "/static/%2e%2e/serving.py", "/static/..%2fserving.py"):
        assert client.get(path).status_code == 404
    assert str(folder) not in search(client, name(1), where="mass > 3").text


@pytest.mark.parametrize("ending", export.ENDINGS)
def test_answers_are_written_in_every_format(client, tmp_path, ending):
    asked = {"search": {"like": [name(4)], "n": 5}, "format": ending}
    answer = client.post("/api/export", json=asked)
    assert answer.status_code == 200, answer.text
    assert f"sources{ending}" in answer.headers["content-disposition"]
    if ending in FORMATS:
        path = tmp_path / f"back{ending}"
        path.write_bytes(answer.content)
        table = read_catalogue(path).to_table()
        found = [one["id"] for one in search(client, name(4), n=5).json()["answers"]]
        assert list(table["id"]) == found


def test_a_path_is_no_format(client):
    for given in ("../../x.csv/../../evil", "docx", "/etc/passwd", ""):
        asked = {"ids": [name(1)], "format": given}
        assert client.post("/api/export", json=asked).status_code == 422


def test_the_map_is_drawn_pointed_at_and_cut_out(client, state):
    facts = client.get("/api/map").json()
    assert facts["points"] == N
    x0, x1, y0, y1 = facts["extent"]
    part = {"x0": x0, "x1": x1, "y0": y0, "y1": y1, "width": 320, "height": 240}
    for column in ("density", "size_arcsec", "label"):
        answer = client.get("/api/map/picture", params=part | {"column": column})
        picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
        assert picture.shape == (240, 320, 4)
        assert 0 < (picture[..., 3] > 0).mean() < 0.9
        legend = client.get("/api/map/colours", params={"column": column}).json()
        assert len(legend["names"]) >= 2
    assert client.get("/api/map/colours", params={"column": "flux"}).status_code == 422
    assert client.get("/api/map/picture", params=part | {"x1": x0 - 1}).status_code == 422
    too_large = client.get("/api/map/picture", params=part | {"width": 8000, "height": 8000})
    assert "draw at most" in too_large.json()["error"]
    x, y = state.view.points[5]
    near = {"x": float(x), "y": float(y), "radius": 1e-3}
    assert client.get("/api/map/nearest", params=near).json()["id"] == name(5)
    assert client.get("/api/map/nearest", params=near | {"x": x1 + 9}).json() is None
    everything = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    found = client.post("/api/map/selection", json={"polygon": everything, "n": 7}).json()
    assert found["count"] == N
    assert len(found["sources"]) == 7
    saved = client.post("/api/export", json={"polygon": everything, "format": ".csv"})
    assert len(Table.read(saved.text, format="ascii.csv")) == N


def test_a_polygon_holds_what_lies_inside(client, state):
    low, high = np.quantile(state.view.points, (0.3, 0.7), axis=0)
    inside = ((state.view.points > low) & (state.view.points < high)).all(1)
    corners = [[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]]
    polygon = np.array(corners, dtype=float).tolist()
    found = client.post("/api/map/selection", json={"polygon": polygon, "n": 200}).json()
    assert {one["id"] for one in found["sources"]} == set(state.view.made.ids[inside])


def test_without_a_map_the_rest_works(state):
    state._newest = replace(state._newest, view=None)
    client = TestClient(build(state, hosts=("testserver",)))
    assert client.get("/api/map").json()["error"].startswith("The index has no map")
    assert search(client, name(1)).json()["answers"][0]["x"] is None


def test_tags_are_kept_counted_and_packed(client, state):
    for row in range(10):
        tag = "single" if row % 2 == 0 else "double"
        client.post("/api/tags", json={"ids": [name(row)], "add": [tag]})
    client.post("/api/tags", json={"ids": [name(0)], "add": ["bright"]})
    facts = client.post("/api/tags", json={"ids": [name(20)]}).json()
    assert facts["tags"] == {"single": 5, "double": 5, "bright": 1}
    assert facts["keys"] == {"single": 1, "double": 2, "bright": 3}  # as they were made
    assert facts["looked_at"] == 11
    proposed = client.get("/api/tags/next", params={"n": 6}).json()
    assert proposed["by"] == "uncertainty"
    assert not {one["id"] for one in proposed["sources"]} & set(state.tags.all())
    assert set(proposed["sources"][0]["guesses"]) == {"single", "double", "bright"}
    alike = client.get("/api/tags/next", params={"by": "similarity", "tag": "double", "n": 6})
    assert {one["label"] for one in alike.json()["sources"]} == {"two"}
    latest = client.get("/api/tags/sources").json()
    assert latest[0]["id"] == name(20)
    packed = client.post("/api/tags/table", json={"classes": ["single", "double"]})
    names = zipfile.ZipFile(io.BytesIO(packed.content)).namelist()
    assert len([one for one in names if one.endswith(".png")]) == 10
    saved = client.post("/api/export", json={"tagged": True, "format": ".csv"})
    assert "single; bright" in saved.text
    client.post("/api/tags", json={"ids": [name(20)], "forget": True})
    assert client.get("/api/tags").json()["looked_at"] == 10
    assert client.post("/api/tags", json={"ids": ["nobody"], "add": ["x"]}).status_code == 422
    assert client.post("/api/tags", json={"ids": [name(1)], "add": ["a;b"]}).status_code == 422


def test_one_bad_picture_is_left_blank_and_logged(client, state, monkeypatch, caplog):
    read = state.index.thumbnails

    def reading(rows):
        if (np.asarray(rows) == 5).any():
            raise DataError("part of the index cannot be read")
        return read(rows)

    monkeypatch.setattr(state.index, "thumbnails", reading)
    found = search(client, name(7), n=N).json()["answers"]
    blank = [one["id"] for one in found if one["thumbnail"] is None]
    assert blank == [name(5)]
    assert "The thumbnail of synthetic-5 is left blank" in caplog.text
    assert search(client, name(5)).status_code == 422  # its own picture is part of the query


def test_an_unforeseen_error_is_logged_and_survived(client, state, monkeypatch, caplog):
    monkeypatch.setattr(state.index, "search", lambda *_, **__: 1 / 0)
    answer = search(client, name(1))
    assert answer.status_code == 500
    assert answer.json()["error"] == "The server could not answer; its log says why."
    assert "ZeroDivisionError" in caplog.text
    assert client.get("/api/index").status_code == 200


def test_too_much_at_once_is_refused(client):
    huge = {"like": [name(1)], "where": "x" * (limits.BODY_BYTES + 1)}
    assert client.post("/api/search", json=huge).status_code == 413
    sent = client.post("/api/uploads", content=b"\0" * (limits.UPLOAD_BYTES + 1))
    assert sent.status_code in (413, 422)
    assert "MB" in sent.json()["error"]
    many = (b"\0" * 1_000_000 for _ in range(20))  # without an announced length
    assert client.post("/api/uploads", content=many).status_code in (413, 422)


def test_an_index_that_is_replaced_or_grows_is_served_on(tmp_path):
    """Rows of a request are those of the index that it began with; the next request sees the new one."""
    first, second = lobes(8, name="first"), lobes(6, name="second")
    made = SourceIndex.create(tmp_path / "index", first, embeddings_of(first), small_model())
    latent_map.of_index(made, method="pca")
    state = open_state(SourceIndex(tmp_path / "index"), lambda one: Doors(one, small_model))
    with TestClient(build(state, hosts=("testserver",)), raise_server_exceptions=False) as client:
        assert client.get("/api/index").json()["sources"] == 8
        assert search(client, "first-1").status_code == 200
        SourceIndex.create(
            tmp_path / "index", second, embeddings_of(second), small_model(), replace=True
        )
        assert client.get("/api/index").json()["sources"] == 6
        assert search(client, "second-1").status_code == 200
        assert client.get("/api/thumbnail", params={"id": "second-2"}).status_code == 200
        assert search(client, "first-1").status_code == 422
        grown = SourceIndex(tmp_path / "index")
        grown.append(first, embeddings_of(first), small_model())
        grown.delete(second.source_ids.tolist())
        grown.rebuild()
        assert client.get("/api/index").json()["data"] == ["second", "first"]
        assert search(client, "first-1").status_code == 200


def test_an_index_whose_mapped_sources_are_gone_is_served_and_mapped(tmp_path):
    first, second = lobes(8, name="first"), lobes(6, name="second")
    made = SourceIndex.create(tmp_path / "index", first, embeddings_of(first), small_model())
    latent_map.of_index(made, method="pca")
    made.delete(first.source_ids.tolist())
    with pytest.raises(ConfigError, match="holds no sources; add some"):
        open_state(SourceIndex(tmp_path / "index"), lambda one: Doors(one, small_model))
    few = second.select([0, 1])
    rest = second.select([2, 3, 4, 5])
    for extra, has_map in ((few, False), (rest, True)):
        made.append(extra, embeddings_of(extra), small_model())
        state = open_state(SourceIndex(tmp_path / "index"), lambda one: Doors(one, small_model))
        client = TestClient(build(state, hosts=("testserver",)))
        assert client.get("/api/index").json()["has_map"] == has_map
    assert set(latent_map.of_index(made, method="pca").ids) == set(second.source_ids)


def test_a_download_is_safe_in_a_spreadsheet_unless_asked_otherwise(client, tmp_path):
    formula = "=HYPERLINK(A1)"
    client.post("/api/tags", json={"ids": [name(2)], "add": [formula]})
    asked = {"ids": [name(2)], "format": ".csv"}
    path = tmp_path / "back.csv"
    for more, marked in (({}, True), ({"spreadsheet_safe": False}, False)):
        path.write_bytes(client.post("/api/export", json=asked | more).content)
        assert (f"'{formula}" in path.read_text()) is marked
        assert read_catalogue(path)["tags"].texts().tolist() == [formula]
