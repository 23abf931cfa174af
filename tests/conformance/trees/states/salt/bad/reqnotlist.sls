#: refused: a requisite that is no list
a:
  test.nop:
    - require: b
