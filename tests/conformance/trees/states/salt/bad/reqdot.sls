a:
  test.nop:
    - require: [{test.nop: a}]
