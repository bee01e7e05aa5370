"""Recordings of feeds, and faults applied to them on demand."""
