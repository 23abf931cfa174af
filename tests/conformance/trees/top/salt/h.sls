h:
  test.nop: []
