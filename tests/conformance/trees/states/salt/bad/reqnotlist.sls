a:
  test.nop:
    - require: b
