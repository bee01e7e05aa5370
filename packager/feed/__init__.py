"""A feed before ffmpeg demuxes it: its bytes are inspected, and the rule of failover is here."""
