part:
  test.nop: []
