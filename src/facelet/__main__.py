"""`python -m facelet`."""

from facelet.cli.app import main

if __name__ == "__main__":
    main()
