"""What ffmpeg is told and what it says: arguments and output lines, never a process."""
