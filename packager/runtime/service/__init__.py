"""The service: supervisor, packager process, control socket."""
