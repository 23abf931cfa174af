#!yaml
'{{ x }}':
  test.nop: []
