"""One connection of the public port: its state, its output, its time-outs."""
