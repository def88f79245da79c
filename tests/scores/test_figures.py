import numpy as np
import pytest
from PIL import Image

from skylobe.core import plotting
from skylobe.images import gallery
from skylobe.scores import curve_figures, figures
from skylobe.scores.curves import CurvePoint


@pytest.fixture
def curves():
    return {
        "ours": [CurvePoint(10, (20.0, 22.0), 200), CurvePoint(100, (10.0,), 200)],
        "untrained": [CurvePoint(10, (30.0, 32.0), 200), CurvePoint(100, (20.0,), 200)],
    }


def test_a_gallery_shows_north_up_and_frames_the_query():
    images = np.zeros((5, 40, 40), np.uint8)
    images[:, 30, 20] = 255  # towards larger row numbers: north
    figure = gallery.gallery(images, ["a"] * 5, pixel_scale=1.8, n_columns=3)
    shown = [panel for panel in figure.axes if panel.get_visible()]
    assert len(shown) == 5
    assert all(panel.get_ylim()[0] < panel.get_ylim()[1] for panel in shown)
    widths = [panel.spines["left"].get_linewidth() for panel in shown]
    assert widths[0] > max(widths[1:])
    assert "10″" in {text.get_text() for text in shown[0].texts} | {"10″"}
    assert {"N", "E"} <= {text.get_text() for text in shown[0].texts}


@pytest.mark.parametrize(("width", "bar"), [(70, "60″"), (40, "30″"), (8, "5″")])
def test_the_scale_bar_is_round_and_fits(width, bar):
    figure = gallery.gallery(np.ones((1, width, width)), ["a"], pixel_scale=1.8)
    assert bar in {text.get_text() for text in figure.axes[0].texts}


def test_a_label_curve_names_axes_units_and_models(curves):
    panel = curve_figures.label_curve(curves, n_classes=4).axes[0]
    assert panel.get_ylabel() == "test error (%)"
    assert panel.get_xlabel() == "labels used (all 4 classes)"
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["ours", "untrained"]
    assert panel.get_ylim()[0] == 0


def test_a_confusion_matrix_counts():
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    panel = figures.confusion_matrix(truth, predicted, ["FRI", "FRII"]).axes[0]
    assert [text.get_text() for text in panel.texts] == ["1\n50 %", "1\n50 %", "1\n33 %", "2\n67 %"]
    assert panel.get_ylabel() == "true class"


def test_figures_are_written_in_the_format_of_their_ending(tmp_path, curves):
    path = plotting.save(curve_figures.label_curve(curves), tmp_path / "curve.png")
    with Image.open(path) as picture:
        assert picture.width > 500
    assert (
        plotting.save(curve_figures.label_curve(curves), tmp_path / "c.pdf").read_bytes()[:4]
        == b"%PDF"
    )
    assert plotting.to_data_uri(curve_figures.label_curve(curves)).startswith(
        "data:image/png;base64,iVBOR"
    )


def test_a_reliability_diagram_counts_every_source_and_names_its_errors():
    before = np.array([[0.95, 0.05], [0.93, 0.07], [0.65, 0.35], [0.2, 0.8]])
    figure = figures.reliability_diagram({"before": before, "after": before**0.5}, np.zeros(4, int))
    upper, lower = figure.axes
    assert sum(bar.get_height() for bar in lower.patches) == 8
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "perfect"
    # three right: bins of two at 94 %, one at 65 % and one, wrong, at 80 %
    assert names[1] == f"before: ECE {(2 * 6 + 35 + 80) / 4:.1f} %"
    assert "(%)" in upper.get_ylabel()
    assert "(%)" in lower.get_xlabel()


def test_the_risk_curve_ends_at_the_error_of_all_and_begins_with_the_surest():
    confidence = np.array([0.6, 0.99, 0.8, 0.7])
    right = np.array([False, True, True, False])
    panel = figures.risk_coverage(confidence, right, chosen=(50, 0), chosen_name="sets").axes[0]
    shares, errors = panel.lines[0].get_data()
    assert shares.tolist() == [25, 50, 75, 100]
    np.testing.assert_allclose(errors, [0, 0, 100 / 3, 50])
    assert panel.lines[1].get_xydata().tolist() == [[50, 0]]
    assert panel.get_ylabel() == "error among them (%)"


def test_the_ends_of_curves_are_labelled_without_overlap():
    same = {name: [CurvePoint(10, (20.0,), 200)] for name in ("a", "b", "c")}
    figure = curve_figures.label_curve(same)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)
