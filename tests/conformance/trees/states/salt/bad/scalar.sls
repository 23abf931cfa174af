#: refused: an SLS that is a text
just text
