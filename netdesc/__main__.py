"""``python -m netdesc`` is the ``netdesc`` command."""

from netdesc.cli import main

if __name__ == "__main__":
    main()
