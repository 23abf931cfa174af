k:
  test.nop: []
