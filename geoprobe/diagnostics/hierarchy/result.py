"""What is known of a taxonomy in an embedding, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoprobe.diagnostics.hierarchy.finding import Finding, finding_table
from geoprobe.diagnostics.hierarchy.radial import Depth
from geoprobe.diagnostics.hierarchy.verdict import LITTLE
from geoprobe.diagnostics.null_figure import null_figure
from geoprobe.figure import Axis, Band, Figure, Forest, Line, Points, Rule, floats
from geoprobe.results import Estimate, NullDistribution, Result, Row, Table, number

METHODS = (
    "A word of the taxonomy counts if it is one token that starts a word. It stands where its first (most frequent) "
    "sense does; its parent is the nearest concept above that is the first sense of another such word. Rows with all "
    "senses pair each word with the nearest one above any of its senses. Where a concept has several parents, the "
    "first one listed is followed, so that depths and steps are those of a tree. Names of single things (Paris) are no "
    "kinds of anything and do not count.",
    "A parent is more general, and so more frequent, and frequent tokens often have other norms than rare ones. So the "
    "null puts other words of equal frequency in the places of the taxonomy's: words are permuted within blocks of "
    "about 16 that occur as often in the corpora (a doubling) and stand side by side in the order of merges, which is "
    "that of frequency in the tokenizer's own text. The taxonomy keeps its shape. Of norms and distances from the "
    "mean, the part that both foretell, by the sum of two splines, stays with the word, and what is left is permuted "
    "(Freedman and Lane 1983). Where only parents are swapped, their children stay as they are. Any of the "
    "words in the taxonomy's places make a random taxonomy of the same shape: beside it frequency counts too.",
    "Parents are few and some have hundreds of children, whose pairs all share one norm. So a parent is swapped with "
    "all its children, intervals resample parents, and the verdict is on the mean over parents. To swap the parent of "
    "each pair by itself, as if pairs were independent, gives a null several times too narrow.",
    "Mantel's r is Pearson's correlation of steps in the taxonomy and distances over all pairs of a sample of words. A "
    "second null keeps the words' norms and covariance and draws their directions anew.",
    "Park et al. (ICLR 2025, arXiv 2406.01506) find a child's vector less its parent's at a right angle to the "
    "parent's, in the metric of the inverse covariance of the output matrix, where a category is made of the words "
    "under it; here it is their mean. Any words give that: the mean of a part less the mean of the whole is "
    "uncorrelated with the whole, so shuffled categories are at right angles too. What not any words give is that a "
    "category has a vector at all: that two parts of it that share no branch of the taxonomy lie in one direction, "
    "about the mean of all its words. That sisters span a simplex holds of any k vectors in more than k dimensions; "
    "their angles stand beside the null's.",
    "Nothing here tells a hierarchy of meaning from one of use: words of one kind occur in the same contexts.",
)
#: Drawn one above another, each beside its null.
_SHARES = {
    "nearer_origin": "over parents, origin",
    "nearer_mean": "over parents, mean vector",
    "pairs_origin": "over pairs, origin",
    "pairs_mean": "over pairs, mean vector",
    "senses_origin": "all senses, origin",
    "senses_mean": "all senses, mean vector",
}


@dataclass(frozen=True)
class Parent:
    """A word with many children: how many, and the share of them with the larger norm."""

    word: str
    children: int
    share: float


@dataclass(frozen=True, kw_only=True)
class HierarchyResult(Result):
    """How the words of a taxonomy lie.

    Attributes
    ----------
    taxonomy, taxonomy_sha256 : str
        Its name, and the hash of what was read.
    n_concepts, n_words, n_pairs : int
        Concepts of the taxonomy, its words that are one token, and those that have a parent.
    findings : tuple of Finding
        Every statistic beside its nulls, the estimate first.
    depths : tuple of Depth
        Mean norms by depth.
    largest : tuple of Parent
        The words with most children.
    """

    name: ClassVar[str] = "hierarchy"
    title: ClassVar[str] = "Hierarchy"
    question: ClassVar[str] = "Do general words lie nearer the origin than specific ones?"
    claim: ClassVar[str] = "general words lie nearer the origin than specific ones of equal frequency"
    glossary: ClassVar[tuple[tuple[str, str], ...]] = (
        (
            "taxonomy",
            "words under more general ones: apple under fruit, fruit under food; the more general is the parent",
        ),
        ("merge rank", "a token's place in the order in which the tokenizer made its vocabulary: frequent ones first"),
    )
    floor: ClassVar[float] = LITTLE
    sides: ClassVar[tuple[str, str, str]] = (
        "general words have the smaller norm less often than words of equal frequency",
        "general words have the smaller norm as often as words of equal frequency",
        "general words have the smaller norm more often than words of equal frequency",
    )

    taxonomy: str
    taxonomy_sha256: str
    n_concepts: int
    n_words: int
    n_pairs: int
    findings: tuple[Finding, ...]
    depths: tuple[Depth, ...]
    largest: tuple[Parent, ...]

    def rows(self) -> tuple[Row, ...]:
        """Every statistic with its interval, the estimate first, and what was read."""
        estimate = () if self.findings else (Row(self.estimate.label, self.estimate.value, key="nearer_origin"),)
        return (
            *estimate,
            *(finding.row() for finding in self.findings),
            Row("taxonomy", self.taxonomy, note=f"SHA-256 {self.taxonomy_sha256[:12]}", key="taxonomy"),
            Row("concepts", self.n_concepts, key="concepts"),
            Row("words that are one token", self.n_words, key="words"),
            Row("pairs of child and parent", self.n_pairs, note="first sense", key="pairs"),
        )

    def others(self) -> tuple[tuple[Estimate, NullDistribution], ...]:
        """Every other statistic that has a null, for a comparison of models."""
        return tuple((Estimate("", each.name, each.value), each.nulls[0]) for each in self.findings[1:] if each.nulls)

    def figures(self) -> tuple[Figure, ...]:
        """Shares beside their null, norms by depth, and the null of the estimate."""
        if not self.findings:
            return ()
        figures = [self._shares()]
        if self.depths:
            figures.append(self._depths())
        if self.null.distribution:
            figures.append(
                null_figure(
                    self.null,
                    title="Parents nearer the origin than their children, beside the null",
                    caption=f"{self.null.statistic}: the taxonomy (line), and {self.null.model} (bars).",
                    axis="share of children further out, mean over parents",
                    draws="permutations",
                    bars="words of equal frequency",
                    line=f"taxonomy, {number(self.null.observed)}",
                )
            )
        return tuple(figures)

    def _shares(self) -> Figure:
        of = {finding.key: finding for finding in self.findings}
        drawn = [(name, of[key]) for key, name in _SHARES.items() if key in of and of[key].nulls]
        names = tuple(name for name, _ in drawn)
        here = [(f.value or 0.0, f.low, f.high) for _, f in drawn]
        middles = [(f.nulls[0].mean or 0.0, f.nulls[0].middle()) for _, f in drawn]
        return Figure(
            "shares",
            "Parents nearer than their children",
            "How often a parent is nearer than its child, from the origin and from the mean vector, with the 95% "
            "interval, and the mean and middle 95% of the same with other words of equal frequency and merge rank in "
            "the taxonomy's places. The distance of the two is what frequency does not explain.",
            Axis("share of parents nearer"),
            Axis(""),
            (
                Rule(0.5, "", "ink"),
                Forest(
                    names,
                    floats(mean for mean, _ in middles),
                    floats(middle[0] if middle else mean for mean, middle in middles),
                    floats(middle[1] if middle else mean for mean, middle in middles),
                    "words of equal frequency",
                    "null",
                    0.12,
                ),
                Forest(
                    names,
                    floats(value for value, _, _ in here),
                    floats(value if low is None else low for value, low, _ in here),
                    floats(value if high is None else high for value, _, high in here),
                    "taxonomy",
                    "data",
                    -0.12,
                ),
            ),
            aspect=0.28 + 0.08 * len(names),
        )

    def _depths(self) -> Figure:
        places, means = floats(each.depth for each in self.depths), floats(each.mean for each in self.depths)
        return Figure(
            "depths",
            "Norm by depth in the taxonomy",
            "Mean norm of the words at each depth (points), and of other words of equal frequency and merge rank in "
            "their places (band: middle 95%). The claim is a line that rises above the band towards the right.",
            Axis("steps below the root"),
            Axis("norm of the embedding"),
            (
                Band(
                    places,
                    floats(each.null_low for each in self.depths),
                    floats(each.null_high for each in self.depths),
                    "words of equal frequency",
                    "null",
                ),
                Line(places, means, "", "data"),
                Points(places, means, "taxonomy", "data", 5.0),
            ),
        )

    def tables(self) -> tuple[Table, ...]:
        """Every statistic beside its nulls, norms by depth, and the words with most children."""
        return (
            finding_table(self.findings),
            Table(
                "depths",
                "Norm by depth",
                ("steps below the root", "words", "mean norm", "null mean", "null low", "null high"),
                tuple((e.depth, e.n, e.mean, e.null_mean, e.null_low, e.null_high) for e in self.depths),
            ),
            Table(
                "parents",
                "Words with most children",
                ("word", "children", "share with the larger norm"),
                tuple((each.word, each.children, each.share) for each in self.largest),
            ),
        )

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        return METHODS
