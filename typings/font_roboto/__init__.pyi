RobotoMedium: str
