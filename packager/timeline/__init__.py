"""Journal records, and the immutable timeline that they fold into."""
