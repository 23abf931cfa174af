#: include: relative to a parent
include: [.other, ..names]
inc-sub:
  test.nop: []
