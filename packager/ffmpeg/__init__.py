"""The arguments and the output of ffmpeg; no processes."""
