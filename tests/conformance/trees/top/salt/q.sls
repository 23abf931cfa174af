q:
  test.nop: []
