j:
  test.nop: []
