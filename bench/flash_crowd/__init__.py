"""A model of a million viewers that join within seconds: the requests that reach the origin."""
