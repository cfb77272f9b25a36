"""Whether the neighbour graph of token embeddings is more negatively curved than a cloud of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.base import Need
from geoprobe.diagnostics.curvature.cloud import BINS, Cloud, graph_curvature, measure, within
from geoprobe.diagnostics.curvature.result import CurvatureResult, Property, Reference
from geoprobe.diagnostics.curvature.texts import EQUALLY_FREQUENT, equally_frequent, text_samples
from geoprobe.diagnostics.curvature.verdict import LEVEL, MIN_TOKENS, RULE, judge
from geoprobe.diagnostics.hyperbolicity.points import draw_rows, drawable, usable_rows, vectors_of
from geoprobe.errors import UsageError
from geoprobe.results import Estimate, Interval, NullDistribution, Result, Verdict
from geoprobe.stats.isotropy import mean_cosine
from geoprobe.stats.nulls.elliptical import elliptical_null
from geoprobe.stats.resampling import monte_carlo_pvalue, student_mean
from geoprobe.stats.spaces import ladder
from geoprobe.stats.threads import one_blas_thread

_LABEL = "Ollivier–Ricci curvature, mean over edges"
MODEL = "directions of each sample drawn anew: covariance and norms about the mean kept, and nothing else"
#: Different tokens of a text, with as many or fewer of which nothing is said.
_MIN_TEXT_TOKENS = 64
#: Dimensions of Gaussian clouds beside the tokens.
_DIMENSIONS = (2, 8, 32, 128, 512, 2048)
_NAMES: dict[str, tuple[str, str]] = {
    "ollivier": (_LABEL, ""),
    "negative": ("share of edges with negative curvature", ""),
    "forman": ("Forman's curvature, mean over edges", ""),
    "hubness": ("hubness", "skewness of how often a token is a neighbour"),
    "dimension": ("intrinsic dimension", "TwoNN"),
    "participation": ("participation ratio", "principal directions that share the variance"),
}


@dataclass(frozen=True)
class CurvatureAnalyzer:
    """Draw tokens, join neighbours, measure, simulate and decide.

    Parameters
    ----------
    tokens : int
        In a sample.
    neighbours : int
        Of each token.
    edges : int
        Measured in a sample.
    samples : int
        Of tokens, at least 2.
    draws : int
        Null clouds of each sample, at least 39, as fewer could not reject at a two-sided 5%.
    text_tokens : int
        Different tokens of a sample of text, which is set beside tokens of equal frequency.
    """

    name: ClassVar[str] = "curvature"
    result: ClassVar[type[Result]] = CurvatureResult
    needs: ClassVar[frozenset[Need]] = frozenset({"counts", "prompts"})

    tokens: int = 1024
    neighbours: int = 16
    edges: int = 500
    samples: int = 4
    draws: int = 39
    text_tokens: int = 512

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> CurvatureResult:
        """Diagnose."""
        self.check()
        with one_blas_thread():
            return self._measured(inputs, rng)

    def _measured(self, inputs: ScanInputs, rng: np.random.Generator) -> CurvatureResult:
        """Measure the samples that there are."""
        rows = usable_rows(inputs)
        # samples do not overlap where there are tokens enough, so that they are independent
        n = min(self.tokens, drawable(inputs, rows) // self.samples)
        if n < max(MIN_TOKENS, self.neighbours + 1):
            return self._too_few(n)
        token_rng, edge_rng, null_rng, space_rng, text_rng = rng.spawn(5)
        drawn = token_rng.permutation(draw_rows(inputs, rows, n * self.samples, token_rng))
        clouds, null_clouds, curvatures, null_curvatures, cosines = [], [], [], [], []
        for part, edge_stream, null_stream in zip(
            np.split(drawn, self.samples), edge_rng.spawn(self.samples), null_rng.spawn(self.samples), strict=True
        ):
            points = vectors_of(inputs, part)
            cloud, curvature = measure(points, self.neighbours, self.edges, edge_stream)
            clouds.append(cloud)
            curvatures.append(curvature)
            cosines.append(mean_cosine(points))
            shape = elliptical_null(points)
            measured = [
                measure(shape.draw(1, stream)[0], self.neighbours, self.edges, stream)
                for stream in null_stream.spawn(self.draws)
            ]
            null_clouds.append([null for null, _ in measured])
            null_curvatures += [values for _, values in measured]
        nulls = [Cloud.mean_of(list(draw)) for draw in zip(*null_clouds, strict=True)]
        properties = tuple(_properties(Cloud.mean_of(clouds), nulls))
        interval = _interval([cloud.ollivier for cloud in clouds])
        ollivier = properties[0]
        texts, text_null = self._texts(inputs, rows, text_rng)
        return CurvatureResult(
            estimate=Estimate("κ", _LABEL, ollivier.value, interval),
            null=NullDistribution(
                MODEL,
                f"{_LABEL} and over {self.samples} samples of {n} tokens",
                ollivier.value,
                tuple(null.ollivier for null in nulls),
                "two-sided",
                ollivier.pvalue,
            ),
            verdict=judge(ollivier.value, interval, ollivier.null_mean, ollivier.pvalue),
            samples=tuple(clouds),
            properties=properties,
            mean_cosine=float(np.mean(cosines)),
            references=tuple(self._references(n, inputs.embedding.dimension, space_rng)),
            heights=_shares(np.concatenate(curvatures)),
            null_heights=_shares(np.concatenate(null_curvatures)),
            n_tokens=n,
            neighbours=self.neighbours,
            n_edges=self.edges,
            texts=texts,
            text_null=text_null,
        )

    def _texts(
        self, inputs: ScanInputs, rows: Int64[np.ndarray, " u"], rng: np.random.Generator
    ) -> tuple[tuple[Property, ...], NullDistribution | None]:
        """Tokens that stand together in the texts beside tokens of equal frequency; nothing where texts are too few."""
        sample_rng, null_rng, edge_rng = rng.spawn(3)
        samples = text_samples(inputs, rows, self.text_tokens, self.samples, sample_rng)
        if not samples or len(samples[0]) <= max(_MIN_TEXT_TOKENS, self.neighbours):
            return (), None
        clouds = [measure(vectors_of(inputs, each), self.neighbours, self.edges, edge_rng)[0] for each in samples]
        nulls = [
            Cloud.mean_of(
                [
                    measure(vectors_of(inputs, each), self.neighbours, self.edges, edge_rng)[0]
                    for each in equally_frequent(inputs, rows, samples, null_rng)
                ]
            )
            for _ in range(self.draws)
        ]
        properties = tuple(_properties(Cloud.mean_of(clouds), nulls))
        first = properties[0]
        null = NullDistribution(
            EQUALLY_FREQUENT,
            f"{_LABEL} and over {len(samples)} samples of {len(samples[0])} tokens that stand together in the texts",
            first.value,
            tuple(each.ollivier for each in nulls),
            "two-sided",
            first.pvalue,
        )
        return properties, null

    def check(self) -> None:
        """Refuse options that leave nothing to measure or to reject by, with a `UsageError`."""
        least = round(2 / LEVEL) - 1
        if self.draws < least:
            raise UsageError(
                f"{self.draws} null clouds cannot reject at {LEVEL:g}, two-sided.", f"Give draws of at least {least}."
            )
        for name, smallest in (("samples", 2), ("neighbours", 2), ("edges", 1)):
            if getattr(self, name) < smallest:
                raise UsageError(f"{name} is {getattr(self, name)}.", f"Give at least {smallest}.")

    def _references(self, n: int, dimension: int, rng: np.random.Generator) -> Iterator[Reference]:
        space_rng, gaussian_rng, edge_rng = rng.spawn(3)
        for space in ladder(n, dimension, space_rng):
            if len(space.distances) > self.neighbours:
                near = within(space.distances, self.neighbours)
                yield Reference(space.name, float(graph_curvature(near, self.edges, edge_rng)[0].mean()))
        for width in _DIMENSIONS:
            points = gaussian_rng.standard_normal((n, width))
            curvature = measure(points, self.neighbours, self.edges, edge_rng)[0].ollivier
            yield Reference(f"Gaussian vectors in {width} dimensions", curvature)

    def _too_few(self, n: int) -> CurvatureResult:
        reason = f"Only {n} usable tokens a sample; curvature takes {max(MIN_TOKENS, self.neighbours + 1)}."
        return CurvatureResult(
            estimate=Estimate("κ", _LABEL, None),
            null=NullDistribution("not simulated: too few tokens", _LABEL, None, (), "two-sided", None),
            verdict=Verdict("inconclusive", reason, RULE),
            samples=(),
            properties=(),
            mean_cosine=None,
            references=(),
            heights=(),
            null_heights=(),
            n_tokens=n,
            neighbours=self.neighbours,
            n_edges=self.edges,
        )


def _properties(cloud: Cloud, nulls: list[Cloud]) -> Iterator[Property]:
    for field in fields(Cloud):
        value = getattr(cloud, field.name)
        draws = np.array([getattr(null, field.name) for null in nulls])
        name, note = _NAMES[field.name]
        pvalue = monte_carlo_pvalue(value, draws, "two-sided")
        yield Property(field.name, name, value, float(draws.mean()), float(draws.std(ddof=1)), pvalue, note)


def _interval(values: list[float]) -> Interval:
    """Student's, over samples that share no token."""
    low, high = student_mean(np.array(values)) or (values[0], values[0])
    return Interval(low, high, "Student's t over samples of tokens")


def _shares(values: Float[np.ndarray, " m"]) -> tuple[float, ...]:
    heights: Float64[np.ndarray, " b"] = np.histogram(values, BINS)[0] / len(values)
    return tuple(float(height) for height in heights)
