"""Status of a channel, results of probes and ladder trials, and their views in a terminal."""
