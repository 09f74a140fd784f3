"""`python -m haulier` is the program `haulier`."""

from haulier.cli import main

if __name__ == "__main__":
    main()
