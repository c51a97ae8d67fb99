"""Whether a matcher is right as often as it says: expected calibration error, and a reliability plot as SVG.

An answer is right if it names the true directed edge, or if it says "off the network" of a walker who is;
fixes that are not judged (`bench.matching.score`) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.matching.fixes import KnownFixes
from bench.matching.online import Answers
from bench.matching.score import Mask
from geo.graph import F64
from models.svg import FONT, INK, path_data, plain, text

BINS = 10
WIDTH, HEIGHT = 640, 560
_LEFT, _TOP, _SIDE = 70, 76, 400
# told apart also by the colour-blind (after Okabe and Ito)
_COLOURS = ("#0072b2", "#d97a00", "#008a63", "#b4459a", "#6a4c1f", "#5b50c8", "#000000", "#7a9a01")
_GREY = "#666666"


@dataclass(frozen=True)
class Reliability:
    """Answers by the probability they were given: BINS classes of equal width."""

    said: F64  # (BINS,) mean probability, nan in an empty class
    right: F64  # (BINS,) share of right answers
    count: F64  # (BINS,)

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al. 2015): how far the two are apart in the mean."""
        known = self.count > 0
        off = np.abs(self.said - self.right)[known]
        return float((off * self.count[known]).sum() / self.count.sum())


def reliability(
    walks: Sequence[KnownFixes], answers: Sequence[Answers], counts: Sequence[Mask]
) -> Reliability | None:
    """Of all answers that were given a probability, None where there is none."""
    said = np.concatenate([one.probability for one in answers])
    right = np.concatenate(
        [
            np.where(fixes.truth.off_network, one.off_network, one.edge == fixes.truth.edge)
            for fixes, one in zip(walks, answers, strict=True)
        ]
    )
    judged = np.concatenate(list(counts)) & ~np.isnan(said) & (said > 0)
    if not judged.any():
        return None
    said, right = said[judged], right[judged].astype(np.float64)
    of = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(of, minlength=BINS).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return Reliability(np.bincount(of, said, BINS) / count, np.bincount(of, right, BINS) / count, count)


def draw_reliability(curves: Mapping[str, Reliability]) -> str:
    """The SVG of one curve a setting; the same curves give the same bytes."""

    def x(share: float) -> float:
        return _LEFT + _SIDE * share

    def y(share: float) -> float:
        return _TOP + _SIDE * (1.0 - share)

    title = "How often the matcher is right when it gives a probability"
    under = "dots: classes of probability, larger for more fixes; grey: what is ideal"
    ideal = f"M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}"
    bottom = _TOP + _SIDE
    marks = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" {FONT}>',
        f"<title>{plain(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        text(14, 28, title, size=18, weight="bold"),
        text(14, 50, under, fill=_GREY, size=13),
        f'<path d="{ideal}" stroke="{_GREY}" stroke-dasharray="4 4"/>',
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{_LEFT + _SIDE}" fill="none" stroke="{INK}"/>',
        text(_LEFT + _SIDE / 2, bottom + 38, "probability it gives", size=13, anchor="middle", fill=_GREY),
        text(_LEFT - 44, _TOP - 10, "right", size=13, fill=_GREY),
    ]  # fmt: skip
    for share in np.linspace(0.0, 1.0, 6).tolist():
        marks.append(text(x(share), _TOP + _SIDE + 18, f"{share:.0%}", size=12, anchor="middle", fill=_GREY))
        marks.append(text(_LEFT - 8, y(share) + 4, f"{share:.0%}", size=12, anchor="end", fill=_GREY))
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        known = np.flatnonzero(curve.count > 0)
        across = np.array([x(float(curve.said[k])) for k in known])
        upwards = np.array([y(float(curve.right[k])) for k in known])
        marks.append(
            f'<path d="{path_data(across, upwards)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        for k, cx, cy in zip(known.tolist(), across.tolist(), upwards.tolist(), strict=True):
            radius = 2.0 + 8.0 * float(np.sqrt(curve.count[k] / curve.count.sum()))
            marks.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{radius:.1f}" fill="{colour}"/>')
        row = _TOP + 10 + 20 * number
        marks.append(f'<path d="M{_LEFT + _SIDE + 12} {row}h18" stroke="{colour}" stroke-width="4"/>')
        marks.append(text(_LEFT + _SIDE + 36, row + 4, name, size=12))
    return "\n".join([*marks, "</svg>\n"])
