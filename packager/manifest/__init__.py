"""The three manifest writers: `(window, options) -> bytes`, each in its own room."""
