"""Smooth Streaming manifests (MS-SSTR)."""
