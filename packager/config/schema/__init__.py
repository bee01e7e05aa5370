"""The types of a configuration file, by notion."""
