"""`python -m packager`: the same as `ringside`."""

from packager.cli.main import main

if __name__ == "__main__":
    main()
