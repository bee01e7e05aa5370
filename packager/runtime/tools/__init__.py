"""The commands that work beside a service: probe, replay, record, send, harvest and others."""
