"""CMCD reports and the viewing sessions that they describe."""
