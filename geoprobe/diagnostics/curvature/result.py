"""What is known of the curvature of the neighbour graph, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoprobe.diagnostics.curvature.cloud import BINS, Cloud
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.figure import Axis, Bars, Figure, Forest, Layer, Line, floats
from geoprobe.results import Estimate, NullDistribution, Result, Row, Table, number


@dataclass(frozen=True)
class Property:
    """One quantity of the tokens beside the same of clouds with their covariance and norms.

    The value is a mean over the samples of tokens; p is two-sided; the note says how to read it.
    """

    key: str
    name: str
    value: float
    null_mean: float
    null_sd: float
    pvalue: float
    note: str = ""

    @property
    def z(self) -> float | None:
        """Distance from the null's mean in its standard deviations; None where the null does not vary."""
        return (self.value - self.null_mean) / self.null_sd if self.null_sd > 1e-9 * abs(self.null_mean) else None


@dataclass(frozen=True)
class Reference:
    """A space whose nature is known: mean curvature of as many of its points, joined as the tokens are."""

    name: str
    curvature: float


@dataclass(frozen=True, kw_only=True)
class CurvatureResult(Result):
    """How the neighbour graph of tokens is curved.

    Attributes
    ----------
    samples : tuple of Cloud
        Each sample of tokens.
    properties : tuple of Property
        Means over the samples beside the null's.
    mean_cosine : float or None
        Of two tokens, from the origin; covariance and norms about the mean decide it, so it has no null.
    references : tuple of Reference
        Spaces whose nature is known.
    heights, null_heights : tuple of float
        Shares of the edges by their curvature, of the tokens and of all null clouds.
    n_tokens, neighbours, n_edges : int
        Of a sample: tokens, neighbours of each, and edges measured.
    texts : tuple of Property
        Means over samples of tokens that stand together in the texts, beside tokens of equal frequency; empty where
        there were too few.
    text_null : NullDistribution or None
        The mean curvature of these.
    """

    name: ClassVar[str] = "curvature"
    title: ClassVar[str] = "Curvature"
    question: ClassVar[str] = "Is the neighbour graph more negatively curved than chance?"
    claim: ClassVar[str] = "the graph of neighbouring tokens is more negatively curved than chance"
    glossary: ClassVar[tuple[tuple[str, str], ...]] = (
        (
            "curvature of a graph",
            "negative where the neighbours of two neighbours are apart, positive where they are shared",
        ),
    )
    sides: ClassVar[tuple[str, str, str]] = (
        "more negatively curved than chance gives",
        "as curved as chance gives",
        "less negatively curved than chance gives",
    )

    samples: tuple[Cloud, ...]
    properties: tuple[Property, ...]
    mean_cosine: float | None
    references: tuple[Reference, ...]
    heights: tuple[float, ...]
    null_heights: tuple[float, ...]
    n_tokens: int
    neighbours: int
    n_edges: int
    texts: tuple[Property, ...] = ()
    text_null: NullDistribution | None = None

    def others(self) -> tuple[tuple[Estimate, NullDistribution], ...]:
        """The mean curvature of tokens of the texts, beside tokens of equal frequency."""
        if self.text_null is None:
            return ()
        return ((Estimate("κ", self.text_null.statistic, self.text_null.observed), self.text_null),)

    def rows(self) -> tuple[Row, ...]:
        """Every property of the tokens, curvature with its interval first."""
        interval = self.estimate.interval
        low, high = (interval.low, interval.high) if interval else (None, None)
        curvature = Row(
            self.estimate.label, self.estimate.value, low, high, f"{len(self.samples)} samples of tokens", "ollivier"
        )
        others = [Row(each.name, each.value, note=each.note, key=each.key) for each in self.properties[1:]]
        others.append(
            Row("mean cosine of two tokens", self.mean_cosine, note="from the origin; 0 where directions are even")
        )
        if self.text_null is not None:
            note = f"tokens of equal frequency: {number(self.text_null.mean)} (p = {number(self.text_null.pvalue)})"
            others.append(
                Row(
                    "Ollivier–Ricci curvature, tokens of texts",
                    self.text_null.observed,
                    note=note,
                    key="ollivier_texts",
                )
            )
        sizes = Row("tokens in a sample", self.n_tokens), Row("neighbours of each", self.neighbours)
        return (curvature, *others, *sizes, Row("edges measured in a sample", self.n_edges))

    def figures(self) -> tuple[Figure, ...]:
        """The edges' curvature beside the null's, known spaces, and the null of the mean."""
        if not self.samples:
            return ()
        return (
            Figure(
                "edges",
                "Curvature of the edges beside its null",
                "How Ollivier–Ricci curvature is distributed over the edges of the neighbour graph (bars), and over "
                "those of clouds that keep covariance and norms and nothing else (line).",
                Axis("Ollivier–Ricci curvature of an edge"),
                Axis("share of the edges"),
                (
                    Bars(floats(BINS), self.heights, "tokens", "data"),
                    Line(floats((BINS[1:] + BINS[:-1]) / 2), self.null_heights, "covariance and norms kept", "null"),
                ),
            ),
            self._references(),
            null_figure(
                self.null,
                title="Mean curvature beside its null",
                caption=f"{self.null.statistic}: the data (line), and clouds that keep covariance and norms (bars).",
                axis="mean Ollivier–Ricci curvature",
                draws="clouds",
                bars="covariance and norms kept",
                line=f"tokens, {number(self.null.observed)}",
            ),
        )

    def _references(self) -> Figure:
        tokens = Reference("these tokens", self.estimate.value or 0.0)
        ranked = sorted((*self.references, tokens), key=lambda each: each.curvature)
        layers: list[Layer] = [Forest(tuple(each.name for each in ranked), (), (), (), "", "muted")]
        names = tuple(each.name for each in ranked)
        for label, role, mine in (("known spaces", "muted", False), ("these tokens", "data", True)):
            values = floats(each.curvature if (each is tokens) is mine else float("nan") for each in ranked)
            layers.append(Forest(names, values, values, values, label, role))  # type: ignore[arg-type]
        return Figure(
            "references",
            "Curvature of spaces whose nature is known",
            f"Mean Ollivier–Ricci curvature of {self.n_tokens} points of each space, joined to their "
            f"{self.neighbours} nearest. A Gaussian cloud without any structure is the more negatively curved the more "
            "dimensions it has.",
            Axis("mean Ollivier–Ricci curvature"),
            Axis(""),
            tuple(layers[1:]),
            aspect=0.3 + 0.035 * len(names),
        )

    def tables(self) -> tuple[Table, ...]:
        """Every property beside its nulls, and the known spaces."""
        return (
            Table(
                "properties",
                "What the curvature goes with",
                ("quantity", "tokens", "null mean", "null sd", "z", "p"),
                tuple((e.name, e.value, e.null_mean, e.null_sd, e.z, e.pvalue) for e in self.properties),
                "The null draws the directions of each sample anew and keeps covariance and norms about the mean. p is "
                "two-sided.",
            ),
            Table(
                "texts",
                "Tokens that stand together in the texts",
                ("quantity", "tokens", "null mean", "null sd", "z", "p"),
                tuple((e.name, e.value, e.null_mean, e.null_sd, e.z, e.pvalue) for e in self.texts),
                "The null puts another token that occurs as often in the place of each. p is two-sided.",
            ),
            Table(
                "references",
                "Curvature of spaces whose nature is known",
                ("space", "mean curvature"),
                tuple((each.name, each.curvature) for each in self.references),
            ),
        )

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        return (
            f"Random tokens are joined to their {self.neighbours} nearest by Euclidean distance, an edge where either "
            "end asks for it. The Ollivier–Ricci curvature of an edge is 1 less the Wasserstein distance, over numbers "
            "of steps, between the even distributions on the neighbours of its ends; it is exact. Forman's is "
            "4 less both degrees, plus 3 for every triangle.",
            "He et al. (NeurIPS 2025, arXiv 2505.24722) take a wide distribution of negative curvature for a sign of "
            "hyperbolic space. But a cloud of independent Gaussian vectors in many dimensions has negative curvature "
            "as well, since a few hubs are everybody's neighbours there: see the known spaces. So the tokens are set "
            "beside clouds with their own covariance and norms; and tokens that stand together in the texts, in which "
            "frequent ones are many, beside other tokens of equal frequency. Nor is a tree negatively curved when it "
            "is seen by its nearest neighbours: those of a leaf are its cousins, all near one another. Every tree "
            "that was tried is less negatively curved than a cloud of its covariance and norms; sparse codes and a "
            "direction of frequency are more so.",
            "Hubness is the skewness of how often a token is among another's neighbours (Radovanović et al. 2010). The "
            "dimension is by the ratio of the second to the first neighbour's distance (Facco et al. 2017). The "
            "participation ratio says how many principal directions share the variance.",
        )
