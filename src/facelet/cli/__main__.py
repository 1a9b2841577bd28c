"""Entry point of `python -m facelet.cli`, used by torchrun."""

from facelet.cli.app import main

if __name__ == "__main__":
    main()
