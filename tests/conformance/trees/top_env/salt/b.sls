#: include: other environment
include:
  - dev: d
b:
  test.nop: []
