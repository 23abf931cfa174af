#!yaml
#: renderer yaml
'{{ x }}':
  test.nop: []
