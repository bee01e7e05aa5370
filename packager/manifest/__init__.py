"""Manifests: windows of a timeline, rendered as HLS, DASH and Smooth."""
