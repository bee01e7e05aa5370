"""What comes in from an encoder, before ffmpeg takes it apart: looked at, never changed."""
