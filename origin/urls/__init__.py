"""A request's target: channel, view, file."""
