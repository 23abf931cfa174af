t:
  test.nop: []
