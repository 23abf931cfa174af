r:
  test.nop: []
