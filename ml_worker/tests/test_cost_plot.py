"""The picture of what a search costs."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ml_worker.retrieval.index.cost_plot import HEIGHT, WIDTH, cost_plot

SVG = "{http://www.w3.org/2000/svg}"


def test_each_cost_is_drawn_where_its_size_and_value_are():
    lines = {"fast": [(1_000, 0.01), (100_000, 0.1)], "slow & exact": [(1_000, 1.0), (10_000, 10.0)]}
    drawn = ElementTree.fromstring(cost_plot(lines, title="Costs <here>", x="songs", y="seconds"))
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in drawn.iter(f"{SVG}circle")]
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = dots
    assert ax == cx
    assert ax < dx < bx
    assert dx - cx == pytest.approx((bx - ax) / 2, abs=0.2)  # a ten is half of two
    assert ay > by > cy > dy  # the cheaper, the lower
    assert ay - by == pytest.approx(cy - dy, abs=0.2)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in dots)
    words = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"fast", "slow & exact", "Costs <here>", "songs", "seconds", "1,000", "100,000"} <= set(words)
    assert "slow & exact: 1 at 1,000, 10 at 10,000." in drawn.find(f"{SVG}desc").text


def test_names_of_lines_that_end_together_stand_apart():
    lines = {name: [(10, 1.0), (100, 5.0)] for name in ("a", "b", "c")}
    drawn = ElementTree.fromstring(cost_plot(lines, title="t", x="x", y="y"))
    heights = sorted(float(text.get("y")) for text in drawn.iter(f"{SVG}text") if text.text in lines)
    assert all(below - above >= 15 for above, below in pairwise(heights))


def test_one_size_is_a_picture_and_none_is_not():
    assert "<circle" in cost_plot({"one": [(10, 1.0)]}, title="t", x="x", y="y")
    with pytest.raises(ValueError, match="nothing to draw"):
        cost_plot({}, title="t", x="x", y="y")
