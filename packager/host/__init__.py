"""Access to the machine for packager and origin: files, folders, sockets, logs, metrics."""
