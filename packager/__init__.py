"""The packager: a feed in, one CMAF copy and its journal out.

The rooms at the top of this package compute and return. Whatever touches a socket, a file, a
clock, a process or a task lies in `packager.runtime`.
"""
