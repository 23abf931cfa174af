g:
  test.nop: []
