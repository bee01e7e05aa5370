"""The origin's metrics and its access log."""
