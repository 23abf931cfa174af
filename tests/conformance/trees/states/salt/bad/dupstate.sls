#: refused: the same module twice
a:
  file.managed: []
  file.absent: []
