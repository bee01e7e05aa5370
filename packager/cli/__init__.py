"""The `ringside` command."""
