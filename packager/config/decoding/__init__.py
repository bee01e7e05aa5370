"""Reads the nodes of a YAML tree as the types of their fields."""
