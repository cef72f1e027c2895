"""The readable definition of every operator, in plain torch; slow, on any device."""
