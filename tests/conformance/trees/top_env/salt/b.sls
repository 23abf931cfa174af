include:
  - dev: d
b:
  test.nop: []
