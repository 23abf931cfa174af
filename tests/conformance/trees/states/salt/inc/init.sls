include:
  - .sub
  - inc.other
  - short
inc-init:
  test.nop: []
