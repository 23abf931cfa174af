#: refused: an undefined name
{{ nope }}
