"""The command line: parse arguments, call, print. What it prints of environments is the status, and nothing else."""

from gitopsd.cli.app import main

__all__ = ["main"]
