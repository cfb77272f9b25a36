"""Some words twice: in the hyperbolic plane and in the flat one, as a page draws them side by side."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.figure import Figure

Places = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class WordMap:
    """Words with their places in both planes.

    The most important words come first, in the Poincaré disk, whose radius is 1, and the flat plane; the notes say what
    each of the two loses, and the figures are the same as still pictures.
    """

    title: str
    caption: str
    words: tuple[str, ...]
    disk: Places
    plane: Places
    disk_note: str
    plane_note: str
    figures: tuple[Figure, ...]
