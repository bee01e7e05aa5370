"""ffmpeg's processes, their pipes, and checks of the binary."""
