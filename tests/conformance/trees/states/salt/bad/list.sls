#: refused: an SLS that is a list
- a
- b
