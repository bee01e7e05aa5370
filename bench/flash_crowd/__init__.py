"""A million viewers who come within seconds: what of that reaches the origin."""
