"""Playback tokens."""
