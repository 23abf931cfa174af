include: [.other, ..names]
inc-sub:
  test.nop: []
