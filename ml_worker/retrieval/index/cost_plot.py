"""What a search costs by the size of the catalogue, as a picture: both axes by tens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

# The picture, and what is left around the lines for words; pixels.
WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 190, 48, 56
# Told apart by people who do not tell all colours apart (Okabe and Ito, 2008), and by the form of their points.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#6a3d9a", "#444444")
DOT = 4.5
# Names are so far apart, pixels.
LINE_HEIGHT = 17

Points = Sequence[tuple[float, float]]


def cost_plot(series: Mapping[str, Points], *, title: str, x: str, y: str) -> str:
    """Lines of costs over sizes as an SVG document.

    Args:
        series: of each line its name and its points (size, cost), all above 0; sizes rising.
        title, x, y: what the picture and its axes show.

    Raises:
        ValueError: there are no points.
    """
    points = [point for of_one in series.values() for point in of_one]
    if not points:
        raise ValueError("There is nothing to draw: no size was measured.")
    sizes, costs = ([point[axis] for point in points] for axis in (0, 1))
    across = _Axis.over(sizes, LEFT, WIDTH - RIGHT)
    up = _Axis.over(costs, HEIGHT - BOTTOM, TOP)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_in_words(series))}</desc>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 26, title, size=16),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x, anchor="middle"),
        _text(LEFT, TOP - 8, y, anchor="end"),
    ]
    for ten in across.tens:
        at = across.at(ten)
        drawn.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#dddddd"/>')
        drawn.append(_text(at, HEIGHT - BOTTOM + 18, f"{ten:,.0f}", anchor="middle"))
    for ten in up.tens:
        at = up.at(ten)
        drawn.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        drawn.append(_text(LEFT - 8, at + 4, f"{ten:g}", anchor="end"))
    lines = {name: [(across.at(size), up.at(cost)) for size, cost in of_one] for name, of_one in series.items()}
    for (name, at_y), colour in zip(_apart(lines).items(), COLOURS * len(lines), strict=False):
        drawn += _line(name, lines[name], at_y, colour)
    return "\n".join([*drawn, "</svg>"]) + "\n"


class _Axis:
    """Numbers along an axis by their logarithm."""

    def __init__(self, least: int, most: int, begin: float, end: float) -> None:
        self.least, self.most, self.begin, self.end = least, most, begin, end

    @classmethod
    def over(cls, numbers: Sequence[float], begin: float, end: float) -> _Axis:
        """From the ten below all to the ten above."""
        least = math.floor(math.log10(min(numbers)))
        return cls(least, max(least + 1, math.ceil(math.log10(max(numbers)))), begin, end)

    @property
    def tens(self) -> list[float]:
        return [10.0**power for power in range(self.least, self.most + 1)]

    def at(self, number: float) -> float:
        return self.begin + (self.end - self.begin) * (math.log10(number) - self.least) / (self.most - self.least)


def _apart(lines: Mapping[str, Points]) -> dict[str, float]:
    """How high the name of each line stands: at its end, but none on another."""
    heights: dict[str, float] = {}
    lowest = 0.0
    for name, points in sorted(lines.items(), key=lambda line: line[1][-1][1]):
        lowest = heights[name] = max(points[-1][1], lowest + LINE_HEIGHT)
    return {name: heights[name] for name in lines}


def _line(name: str, points: Points, name_y: float, colour: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{DOT}" fill="{colour}"/>' for x, y in points]
    x = points[-1][0]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        _text(x + 10, name_y + 4, name, colour=colour),
    ]


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, colour: str = "#222222") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"'
    return f"<text {place}>{escape(words)}</text>"


def _in_words(series: Mapping[str, Points]) -> str:
    """For those who do not see it."""
    told = (
        f"{name}: " + ", ".join(f"{cost:.3g} at {size:,.0f}" for size, cost in of_one)
        for name, of_one in series.items()
    )
    return ". ".join(told) + "."
