#: refused: a requisite of a wrong shape
a:
  test.nop:
    - require: [{test: [x]}]
