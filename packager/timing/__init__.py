"""Ticks, the UTC grid, Smooth's time scale, and the only reader of clocks."""
