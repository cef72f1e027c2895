"""``netdesc doctor``: what works on this machine."""
