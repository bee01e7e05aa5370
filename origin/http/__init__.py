"""HTTP/1.1 as bytes and headers, without a socket."""
