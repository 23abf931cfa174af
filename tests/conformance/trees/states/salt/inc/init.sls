#: include: relative, include: absolute
include:
  - .sub
  - inc.other
  - short
inc-init:
  test.nop: []
