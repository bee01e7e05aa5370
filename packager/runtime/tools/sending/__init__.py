"""Sending of a recording or a media file: the schedule in real time, and the targets."""
