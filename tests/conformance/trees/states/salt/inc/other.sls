inc-other:
  test.nop: []
