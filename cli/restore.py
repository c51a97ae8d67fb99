"""`flaneur restore`: see `cli.backup`."""

from cli.backup import restore as command

__all__ = ["command"]
