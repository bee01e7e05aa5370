"""Bounded caches of responses, and counters of requests."""
