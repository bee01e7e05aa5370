"""RTP packets and datagrams of a feed, without a socket."""
