p:
  test.nop: []
