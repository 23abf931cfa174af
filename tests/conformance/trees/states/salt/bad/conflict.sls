include: [short]
one:
  test.nop: []
