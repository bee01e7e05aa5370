"""The configuration: its schema, its quantities, and the checks over it."""
