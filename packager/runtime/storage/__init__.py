"""Media and journal on disk."""
