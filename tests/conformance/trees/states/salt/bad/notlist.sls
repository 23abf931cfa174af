#: refused: arguments that are no list
a:
  file.managed:
    name: /x
