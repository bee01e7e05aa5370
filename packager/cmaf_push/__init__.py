"""CMAF that encoders push (DASH-IF Live Media Ingest Protocol 1.2, interface 1)."""
