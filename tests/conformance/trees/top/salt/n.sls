n:
  test.nop: []
