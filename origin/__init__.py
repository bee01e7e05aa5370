"""The origin: journals in, HTTP answers out."""
