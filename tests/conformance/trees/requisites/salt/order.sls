#: order: number, order: first, order: last, order: negative, order: beside require
z:
  test.nop:
    - order: last
a:
  test.nop:
    - order: 1
    - require: [{test: m}]
m:
  test.nop:
    - order: first
n:
  test.nop:
    - order: -5
o:
  test.nop: []
p:
  test.nop:
    - order: 2
