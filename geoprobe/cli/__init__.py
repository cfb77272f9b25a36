"""The command line: parse, call one function, print."""

from geoprobe.cli.app import main

__all__ = ["main"]
