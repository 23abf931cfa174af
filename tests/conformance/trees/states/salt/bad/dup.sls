#: refused: the same id twice
a:
  test.nop: []
a:
  test.nop: []
