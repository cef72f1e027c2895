"""``python -m netdesc`` is the ``netdesc`` command."""

from netdesc.cli.program import program

if __name__ == "__main__":
    program()
