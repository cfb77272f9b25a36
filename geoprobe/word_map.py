"""Some words twice: in the hyperbolic plane and in the flat one, as a page draws them side by side."""

from __future__ import annotations

from dataclasses import dataclass

from geoprobe.figure import Figure

__all__ = ["WordMap"]

Places = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class WordMap:
    """Words with their places in both planes.

    Parameters
    ----------
    title, caption : str
        What is shown, and how to read it.
    words : tuple of str
        The most important first.
    disk : tuple of (float, float)
        Their places in the Poincaré disk, whose radius is 1.
    plane : tuple of (float, float)
        Their places in the flat plane.
    disk_note, plane_note : str
        What each of the two loses.
    figures : tuple of Figure
        The same as still pictures.
    """

    title: str
    caption: str
    words: tuple[str, ...]
    disk: Places
    plane: Places
    disk_note: str
    plane_note: str
    figures: tuple[Figure, ...]
