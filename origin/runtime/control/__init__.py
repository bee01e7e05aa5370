"""The control port: status page, API, players."""
