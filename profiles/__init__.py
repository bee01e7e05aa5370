"""Ladders and device profiles shipped with Ringside."""
