"""What is known of norms and frequency, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoprobe.diagnostics.norms.classes import FrequencyClass, class_figure, class_table
from geoprobe.diagnostics.norms.correlations import (
    Confound,
    Correlation,
    confound_figure,
    confound_table,
    correlation_figure,
)
from geoprobe.diagnostics.norms.curve import NormCurve, curve_rows
from geoprobe.diagnostics.norms.distances import Distance, distance_table
from geoprobe.diagnostics.norms.radial_link import RadialLink, link_rows
from geoprobe.diagnostics.norms.undertrained import UndertrainedTokens, undertrained_table
from geoprobe.diagnostics.norms.word_groups import GroupOrder, WordGroup, group_figure, group_tables
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.figure import Figure
from geoprobe.results import Result, Row, Table, number
from geoprobe.scatter import VocabularyScatter

METHODS = (
    "A token's norm is the Euclidean length of its row of the input embedding, as stored; a factor that the "
    "model applies after look-up changes no rank. Coefficients are over the tokens seen in the corpora or, with every "
    "frequency one larger, over all rows that a token has; logarithms are of the frequency.",
    "Their intervals ask what other types and other documents would have given. Types are taken as exchangeable but "
    "for their subjects, which are found by correspondence analysis of documents and types: Fisher's variance is "
    "raised by how far types of one subject share both frequency and norm. What documents add is the variance over "
    "resampled documents less that over resampled occurrences, which both have in common. Where documents are not "
    "known, tokens are taken as independent. The null shuffles norms over tokens, and so takes every token as "
    "exchangeable with every other: where subjects differ in norm its p is too small, and the interval decides.",
    "One coefficient over the vocabulary is dominated by rare tokens, which are most of it. So the relation is also "
    "tested for being monotone: over every run of neighbouring frequency classes, the slope against the relation's "
    "direction, the largest of them beside what equal means with the same errors give. A relation that is monotone is "
    "rejected at most as often as the level says, a steep one less often. The free curve is a smoothing spline whose "
    "penalty cross-validation chose; its band is from tokens drawn anew, and somewhat narrow, since the curve is "
    "smoother than the truth.",
    "Partial rank correlations hold one trait, or all traits of the text, by linear regression of ranks. The order of "
    "merges is frequency in the tokenizer's own training text: to hold it is to hold what is asked, so it is held only "
    "alone. Rare tokens may have small or large norms because they were hardly trained; that is no hierarchy.",
    "The paper's section 4.3 has radii follow exp(ζ r) and counts a power law of exponent γ = 2/ζ + 1. Here ζ is the "
    "maximum-likelihood rate between the smallest and the largest norm of the seen tokens, each counted once; γ is "
    "that of their counts. ζ has the unit of one over the norm, and the relation is one of pure numbers, so it can "
    "hold only for radii measured in the curvature's own unit, which no model states: the report gives the scale that "
    "would make it true.",
    "Unusual rows follow Land and Bartolo (2024, arXiv 2405.05417): the norm of the row, and the cosine distance from "
    "the mean of rows known to be unused, the first principal component removed, in the output matrix where it is at "
    "hand, else in the input embedding. Known to be unused are rows of no token, of bytes that no UTF-8 holds, of "
    "tokens called reserved, and (an addition) rows that equal others, which no training told apart. Outliers lie "
    "beyond 6 robust standard deviations. They are candidates: to confirm them, one would prompt the model.",
)


@dataclass(frozen=True, kw_only=True)
class NormsResult(Result):
    """Norms of the embedding's rows, by the frequency of their tokens.

    Attributes
    ----------
    n_seen : int
        Tokens seen in the corpora, over which everything is computed.
    mean, sd, low, high : float or None
        Of the seen tokens' norms.
    classes : tuple of FrequencyClass
        From rare to frequent.
    groups : tuple of WordGroup
        The paper's four, from frequent to rare.
    associations : tuple of Correlation
        Over all seen tokens, controlling for traits, among the more frequent ones, and by other coefficients.
    confounds : tuple of Confound
        Traits of tokens that could stand behind the relation.
    curve : NormCurve or None
        The relation as curves, and whether it is monotone.
    distances : tuple of Distance
        From the origin, the mean vector and the geometric median, in the input embedding and the output matrix.
    link : RadialLink or None
        The paper's link of radii and counts.
    unusual : UndertrainedTokens
        Rows that look hardly trained or unused.
    lookup_scale : float
        The factor that the model applies after look-up; norms here are without it.
    n_not_finite, n_zero, n_unnamed : int
        Rows with NaN or infinity, left out; rows of zeros; rows that no token has.
    points : VocabularyScatter or None
        Every row.
    group_order : GroupOrder or None
        Whether the words' norms rise from group to group; None where it was not tested.
    subject_effect : float or None
        Factor on variances since types of one subject go together; None where documents are not known.
    """

    name: ClassVar[str] = "norms"
    title: ClassVar[str] = "Norms and frequency"
    question: ClassVar[str] = "Do frequent tokens lie nearer the origin than rare ones?"
    sides: ClassVar[tuple[str, str, str]] = (
        "frequent tokens have smaller norms than chance gives",
        "norms follow frequency no more than chance gives",
        "frequent tokens have larger norms than chance gives",
    )
    claim: ClassVar[str] = "frequent tokens lie nearer the origin than rare ones"

    n_seen: int
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    classes: tuple[FrequencyClass, ...]
    groups: tuple[WordGroup, ...]
    associations: tuple[Correlation, ...]
    confounds: tuple[Confound, ...]
    curve: NormCurve | None
    distances: tuple[Distance, ...]
    link: RadialLink | None
    unusual: UndertrainedTokens
    lookup_scale: float
    n_not_finite: int
    n_zero: int
    n_unnamed: int
    points: VocabularyScatter | None
    group_order: GroupOrder | None = None
    subject_effect: float | None = None

    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""
        interval = self.estimate.interval
        low, high = (interval.low, interval.high) if interval else (None, None)
        return (
            Row(
                self.estimate.label, self.estimate.value, low, high, interval.method if interval else "", "spearman_rho"
            ),
            *(
                Row(f"{row.coefficient}, {row.name}", row.value, row.low, row.high, f"{row.n:,} tokens", row.key)
                for row in self.associations[1:]
            ),
            Row("p under permutation", self.null.pvalue, note=self.null.model, key="pvalue"),
            *self._subject_rows(),
            *(curve_rows(self.curve) if self.curve else ()),
            *(link_rows(self.link) if self.link else ()),
            Row("tokens seen", self.n_seen, key="tokens_seen"),
            Row("mean norm", self.mean, note="of the seen tokens", key="norm_mean"),
            Row("standard deviation of norms", self.sd, key="norm_sd"),
            Row("smallest norm", self.low, key="norm_smallest"),
            Row("largest norm", self.high, key="norm_largest"),
            Row("factor after look-up", self.lookup_scale, note="reported, not applied", key="lookup_factor"),
            Row("rows with NaN or infinity", self.n_not_finite, note="left out", key="rows_not_finite"),
            Row("rows of zeros", self.n_zero, key="rows_zero"),
            Row("rows of no token", self.n_unnamed, key="rows_unnamed"),
            *(Row(f"rows: {name}", n) for name, n in self.unusual.counts[2:]),
        )

    def _subject_rows(self) -> tuple[Row, ...]:
        rows = []
        if self.subject_effect is not None:
            note = "of the variance, as types of one subject go together"
            rows.append(Row("factor on variances", self.subject_effect, note=note, key="subject_effect"))
        if self.group_order is not None:
            note = f"p = {number(self.group_order.pvalue)}, {self.group_order.n} words, from frequent to rare"
            rows.append(Row("ρ of word group and norm", self.group_order.rho, note=note, key="word_group_rho"))
        return tuple(rows)

    def figures(self) -> tuple[Figure, ...]:
        """Norm by frequency class, the word groups, ρ controlling for traits and among the frequent, and the null."""
        if not self.classes:
            return ()
        drawn = [class_figure(self.classes, self.curve, self.n_seen)]
        if any(group.words for group in self.groups):
            drawn.append(group_figure(self.groups))
        if self.associations:
            drawn.append(correlation_figure(self.associations))
        if any(confound.low is not None for confound in self.confounds):
            drawn.append(confound_figure(self.confounds, self.associations[0]))
        if self.null.distribution:
            drawn.append(self._null_figure())
        return tuple(drawn)

    def _null_figure(self) -> Figure:
        return null_figure(
            self.null,
            title="Rank correlation, beside shuffled norms",
            caption="Spearman's ρ of the data (line) and after shuffling the norms over the tokens (bars).",
            axis="Spearman's ρ",
            draws="permutations",
            bars="shuffled",
            line=f"data, ρ = {number(self.null.observed)}",
        )

    def tables(self) -> tuple[Table, ...]:
        """Frequency classes, confounds, distances, the word groups beside the paper's models, and unusual rows."""
        return (
            class_table(self.classes),
            confound_table(self.confounds),
            distance_table(self.distances),
            *group_tables(self.groups),
            undertrained_table(self.unusual),
        )

    def scatter(self) -> VocabularyScatter | None:
        """Every row by frequency and norm."""
        return self.points

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        return METHODS
