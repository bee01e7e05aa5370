"""A channel's life: its sources, its encoder runs, its maintenance."""
