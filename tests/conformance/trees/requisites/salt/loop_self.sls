#: a loop of one
a:
  test.nop:
    - require: [{test: a}]
