"""`python -m facelet.cli`, as torchrun starts it."""

from facelet.cli.app import main

if __name__ == "__main__":
    main()
