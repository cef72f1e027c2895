"""``netdesc doctor``: checks that netdesc works on this machine.

- ``command``: the command; ``checks``: runs the probes in another process
- ``probes``: the table of probes, one for each package, engine and resource
"""
