"""Responses made from plans: manifests, media, files."""
