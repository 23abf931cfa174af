#: refused: the same id in two SLS
include: [short]
one:
  test.nop: []
