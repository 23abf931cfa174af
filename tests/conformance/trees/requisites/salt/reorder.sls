#: require moves a state behind another
a:
  test.nop:
    - require: [{test: d}]
b:
  test.nop:
    - require: [{test: a}]
c:
  test.nop: []
d:
  test.nop:
    - require: [{test: c}]
e:
  test.nop:
    - prereq: [{test: a}]
    - listen: [{test: b}]
