"""The origin's view of journals as they grow."""
