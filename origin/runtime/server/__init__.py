"""The public port: connections, fast path, slow path, held requests."""
