"""Runs of samples in, actions out: anchors periods and cuts segments."""
