"""RTMP from the side that is published to, without a socket: bytes come in, events come out.

Adobe's Real Time Messaging Protocol specification 1.0, and Veovera's Enhanced RTMP v2.
"""
