"""The shell of the origin: sockets, files and tasks."""
