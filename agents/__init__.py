"""The Faust agents. Importing this package registers them all with `streams.app`."""

from agents import conditions, replan, trips

__all__ = ["conditions", "replan", "trips"]
