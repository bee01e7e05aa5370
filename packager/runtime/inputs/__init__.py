"""Inputs that ffmpeg opens itself: files, test pattern, slate."""
