"""CMAF that encoders push, put on the segment grid without ffmpeg."""
