"""Access checks of the public port and of the control port."""
