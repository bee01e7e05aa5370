"""The packager's metrics."""
