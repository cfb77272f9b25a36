"""What is known of the distribution of token frequencies: the fit, its test, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from geoprobe.diagnostics.frequency.figures import frequency_figures
from geoprobe.diagnostics.frequency.fit import TailFit
from geoprobe.diagnostics.frequency.source import SourceFit, source_rows, source_table
from geoprobe.diagnostics.paper import CITATION, GAMMA_RANGE
from geoprobe.figure import Figure
from geoprobe.results import Result, Row, Table, key_of


@dataclass(frozen=True)
class CorpusFit:
    """The fit to one corpus alone."""

    corpus: str
    n_documents: int
    n_tokens: int
    n_types: int
    gamma: float | None
    xmin: int | None
    ks: float | None


@dataclass(frozen=True, kw_only=True)
class FrequencyResult(Result):
    """A power law fitted to how often tokens occur.

    Attributes
    ----------
    fit : TailFit or None
        None where there is too little data.
    values, multiplicities : tuple of int
        The whole histogram: how many types occur how often.
    vocabulary : int
        V, seen or not.
    corpora : tuple of CorpusFit
        Each corpus by itself.
    frequent : tuple of (str, int)
        The most frequent tokens and their counts.
    source : SourceFit or None
        Whether the counts are a sample of a power-law source; None where it was not tested.
    """

    name: ClassVar[str] = "frequency"
    title: ClassVar[str] = "Token frequency"
    question: ClassVar[str] = "Do token frequencies follow a power law?"
    sides: ClassVar[tuple[str, str, str]] = (
        "closer to a power law than samples of one are",
        "as close to a power law as samples of one are",
        "further from a power law than samples of one are",
    )
    claim: ClassVar[str] = "token frequencies follow a power law"

    fit: TailFit | None
    values: tuple[int, ...]
    multiplicities: tuple[int, ...]
    vocabulary: int
    corpora: tuple[CorpusFit, ...]
    frequent: tuple[tuple[str, int], ...]
    source: SourceFit | None = None

    @property
    def n_types(self) -> int:
        """Different tokens seen."""
        return sum(self.multiplicities)

    @property
    def n_tokens(self) -> int:
        """Tokens counted."""
        return sum(value * types for value, types in zip(self.values, self.multiplicities, strict=True))

    def rows(self) -> tuple[Row, ...]:
        """Every quantity of the result, the estimate first."""
        counted = (
            Row("types seen", self.n_types, note=f"of {self.vocabulary:,} in the vocabulary", key="types"),
            Row("tokens counted", self.n_tokens, key="tokens"),
        )
        if self.fit is None:
            return (Row("count exponent γ", None, key="gamma"), *counted)
        fit = self.fit
        first, *others = fit.intervals
        return (
            Row("count exponent γ", fit.gamma, first.low, first.high, first.method, "gamma"),
            *(
                Row(
                    f"count exponent γ, {interval.method.partition(',')[0]}",
                    fit.gamma,
                    interval.low,
                    interval.high,
                    interval.method,
                    f"gamma_{key_of(interval.method.partition(',')[0])}",
                )
                for interval in others
            ),
            Row("smallest count in the tail, x_min", fit.xmin, *fit.xmin_interval, "bootstrap over types", "xmin"),
            Row("Kolmogorov-Smirnov distance", fit.ks, key="ks"),
            Row("p of the fit", self.null.pvalue, note=self.null.model, key="pvalue"),
            Row("types in the tail", fit.n_tail, key="tail_types"),
            Row("share of types in the tail", fit.type_share, key="tail_type_share"),
            Row("share of tokens in the tail", fit.token_share, key="tail_token_share"),
            Row(
                "Zipf's rank exponent s",
                fit.s,
                note="Zipf-Mandelbrot, ranks and frequencies from different halves",
                key="zipf_s",
            ),
            Row("Mandelbrot's shift q", fit.q, key="mandelbrot_q"),
            *(source_rows(self.source) if self.source else ()),
            *counted,
        )

    def by_size(self) -> tuple[tuple[int, float], ...]:
        """The exponent at several sizes of corpus, as it depends on them."""
        return () if self.fit is None else _gamma_by_size(self.fit)

    def figures(self) -> tuple[Figure, ...]:
        """Survival with alternatives, frequency of frequencies, γ over x_min, ranks, and the null of the distance."""
        return frequency_figures(self.values, self.multiplicities, self.fit, self.null)

    def tables(self) -> tuple[Table, ...]:
        """The test of a source, alternatives, each corpus by itself, γ by corpus size, and the most frequent tokens."""
        total = max(self.n_tokens, 1)
        corpora = Table(
            "corpora",
            "The same fit, corpus by corpus",
            ("corpus", "documents", "tokens", "types", "γ", "x_min", "KS distance"),
            tuple((c.corpus, c.n_documents, c.n_tokens, c.n_types, c.gamma, c.xmin, c.ks) for c in self.corpora),
            f"γ depends on the size of the corpus, so compare at equal token counts. The paper reports "
            f"{GAMMA_RANGE[0]} to {GAMMA_RANGE[1]} with another tokenizer ({CITATION}).",
        )
        frequent = Table(
            "frequent",
            "Most frequent tokens",
            ("token", "occurrences", "share of all"),
            tuple((token, count, count / total) for token, count in self.frequent),
        )
        if self.fit is None:
            return (corpora, frequent)
        sources = (source_table(self.source),) if self.source and self.source.ranges else ()
        return (*sources, _alternatives(self.fit), corpora, _sizes(self.fit), frequent)

    def methods(self) -> tuple[str, ...]:
        """How the numbers were made and what they do not show."""
        return (
            "γ is the maximum-likelihood exponent of the discrete power law p(k) = k^-γ / ζ(γ, x_min), with x_min "
            "where the Kolmogorov-Smirnov distance is least (Clauset, Shalizi and Newman 2009). p is the share of "
            "synthetic data sets, drawn from the fit above x_min and from the data below it and each fitted anew, that "
            "lie at least as far from their own fit: large where a power law is plausible, small where it is not.",
            "A text is a sample, so its counts are no power law even where its source is one: rare types are seen once "
            "or not at all. The verdict therefore asks whether the rates of types are a power law, each count being "
            "Poisson about its type's rate: against samples of the fitted source, each fitted anew; against "
            "log-normal, exponential and double power-law rates; and by how much γ may change along the "
            "rates. A large p alone is no support: far out in a tail nearly every smooth law looks like a power law. "
            "Types are taken as independent; halves of the corpus show how much the answer depends on its texts.",
            "Zipf's s by ranks is too large where rare types are many: 1.024 for 1 with 155,000 tokens of an exact "
            "law. The s of the source has no such bias.",
            "γ describes how many types occur k times. It is not Zipf's rank exponent s; γ = 1 + 1/s holds only "
            "asymptotically. Resampling whole documents answers how γ would move with other texts of the same source; "
            "resampling types, how it would move with another vocabulary.",
        )


def _alternatives(fit: TailFit) -> Table:
    return Table(
        "alternatives",
        "Other laws on the same counts",
        ("law", "from", "log-likelihood ratio", "p", "favours", "note"),
        tuple(
            (row.name, row.xmin, row.loglikelihood_ratio, row.pvalue, row.favours, row.limit or "")
            for row in (*fit.tail, *fit.whole)
        ),
        "Log-likelihood of the power law less that of the other law, in nats: negative speaks for the other. "
        "From x_min the same tail is compared, from 1 the whole range.",
    )


def _gamma_by_size(fit: TailFit) -> tuple[tuple[int, float], ...]:
    return tuple((int(tokens), gamma) for tokens, gamma in zip(fit.gamma_by_size.x, fit.gamma_by_size.y, strict=True))


def _sizes(fit: TailFit) -> Table:
    return Table(
        "sizes",
        "γ at matched corpus sizes",
        ("tokens", "γ"),
        _gamma_by_size(fit),
        "Mean over random subsets of the corpus's tokens; compare models or corpora in the same row.",
    )
