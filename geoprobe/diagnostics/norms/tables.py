"""The tables of the norms diagnostic, and how its numbers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geoprobe.diagnostics.norms.distances import distance_table
from geoprobe.diagnostics.norms.undertrained import CANDIDATES, LISTED, NEAR
from geoprobe.diagnostics.norms.word_groups import group_tables
from geoprobe.results import Table

if TYPE_CHECKING:
    from geoprobe.diagnostics.norms.analyzer import NormsResult

__all__ = ["METHODS", "norms_tables"]

METHODS = (
    "A token's norm is the Euclidean length of its row of the input embedding, as stored; a factor that the "
    "model applies after look-up changes no rank. Coefficients are over the tokens seen in the corpora or, with every "
    "frequency one larger, over all rows that a token has; logarithms are of the frequency. Their intervals are from "
    "resampled documents where those are known, since the tokens of one document are not independent: the spread of "
    "resamples on Fisher's scale, about the estimate. Where documents are not known, and among the few most frequent "
    "tokens, they take tokens as independent. The null shuffles norms over tokens.",
    "One coefficient over the vocabulary is dominated by rare tokens, which are most of it. So the relation is also "
    "tested for being monotone: over every run of neighbouring frequency classes, the slope against the relation's "
    "direction, the largest of them beside what equal means with the same errors give. A relation that is monotone is "
    "rejected at most as often as the level says, a steep one less often. The free curve is a smoothing spline whose "
    "penalty cross-validation chose; its band and the interval of its turn are from tokens drawn anew, and somewhat "
    "narrow, since the curve is smoother than the truth.",
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


def norms_tables(result: NormsResult) -> tuple[Table, ...]:
    """Frequency classes, confounds, distances, the word groups beside the paper's models, and unusual rows."""
    classes = Table(
        "classes",
        "Norms by frequency class",
        ("occurrences", "tokens", "mean norm", "sd"),
        tuple((c.name, c.n, c.mean, c.sd) for c in result.classes),
    )
    confounds = Table(
        "confounds",
        "What else goes with frequency",
        ("trait", "ρ with frequency", "ρ with norm", "ρ of frequency and norm, trait held", "from", "to"),
        tuple((c.trait, c.with_frequency, c.with_norm, c.held, c.low, c.high) for c in result.confounds),
        "Partial rank correlations: a relation that vanishes once a trait is held is that trait's. The order "
        "of merges is frequency in the tokenizer's own training text: to hold it is to hold what is asked.",
    )
    return (classes, confounds, distance_table(result.distances), *group_tables(result.groups), _unusual(result))


def _unusual(result: NormsResult) -> Table:
    found = result.unusual
    more = f" The first {LISTED} of {found.n:,} are listed." if found.n > len(found.listed) else ""
    reference = (
        f"Direction is that of the {found.matrix}, beside {found.references:,} rows known to be unused."
        if found.references
        else "No row is known to be unused, so there is no direction to compare with."
    )
    return Table(
        "unusual",
        "Rows that look hardly trained or unused",
        ("row", "token", "kind", "seen", "norm", "z", "from unused", "z", "evidence"),
        tuple(
            (r.row, r.token, r.kind, r.occurrences, r.norm, r.norm_z, r.distance, r.distance_z, "; ".join(r.evidence))
            for r in found.listed
        ),
        f"{reference} z is in robust standard deviations from the median. Near-duplicates (cosine of at least {NEAR}) "
        f"are sought among the {CANDIDATES:,} most unusual rows only, equal rows in the whole table.{more}",
    )
