"""Generated from the types: the JSON schema and the reference page."""
