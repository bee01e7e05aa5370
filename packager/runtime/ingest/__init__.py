"""Receivers of feeds: encoders push to the packager, or the packager pulls."""
