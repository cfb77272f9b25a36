"""Power laws in counts, after Clauset, Shalizi and Newman (2009): fit, test, compare, judge."""

from geoprobe.stats.powerlaw.alternatives import Distribution
from geoprobe.stats.powerlaw.bootstrap import Bootstrap, Interval, bootstrap, document_bootstrap
from geoprobe.stats.powerlaw.comparison import Alternative, Comparison, compare
from geoprobe.stats.powerlaw.curves import XminCurve, alpha_over_xmin
from geoprobe.stats.powerlaw.estimation import PowerLawFit, fit
from geoprobe.stats.powerlaw.goodness import GoodnessOfFit, goodness_of_fit
from geoprobe.stats.powerlaw.histogram import Histogram, histogram
from geoprobe.stats.powerlaw.matching import SizeCurve, alpha_over_size, thin
from geoprobe.stats.powerlaw.rank_frequency import RankFrequency, rank_frequency
from geoprobe.stats.powerlaw.source import SourceAssessment, SourceTest, assess_source
from geoprobe.stats.powerlaw.survival import survival
from geoprobe.stats.powerlaw.verdict import Assessment, assess, judge

__all__ = [
    "Alternative",
    "Assessment",
    "Bootstrap",
    "Comparison",
    "Distribution",
    "GoodnessOfFit",
    "Histogram",
    "Interval",
    "PowerLawFit",
    "RankFrequency",
    "SizeCurve",
    "SourceAssessment",
    "SourceTest",
    "XminCurve",
    "alpha_over_size",
    "alpha_over_xmin",
    "assess",
    "assess_source",
    "bootstrap",
    "compare",
    "document_bootstrap",
    "fit",
    "goodness_of_fit",
    "histogram",
    "judge",
    "rank_frequency",
    "survival",
    "thin",
]
