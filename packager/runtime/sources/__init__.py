"""Where feeds come from: each source knows how to open itself, none knows another."""
