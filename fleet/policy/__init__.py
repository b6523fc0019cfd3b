"""Limits and facts give verdicts."""
