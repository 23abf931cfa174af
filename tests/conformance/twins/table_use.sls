# use: arguments are copied, requisites are not, and not from one to the next.
a:
  test.configurable_test_state:
    - changes: true
    - result: true
    - comment: of a
    - require: [{test: n}]
b:
  test.configurable_test_state:
    - use: [{test: a}]
    - comment: of b
c:
  test.configurable_test_state:
    - use: [{test: b}]
n:
  test.nop: []
