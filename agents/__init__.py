"""The Faust agents. Importing this package registers them all with `streams.app`."""

from agents import conditions, crowd, replan, trips

__all__ = ["conditions", "crowd", "replan", "trips"]
