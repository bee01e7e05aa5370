"""RTMP from the side of the server that encoders publish to: bytes in, events out, no socket.

Adobe's Real Time Messaging Protocol specification 1.0, and Veovera's Enhanced RTMP v2.
"""
