include:
  - dev: d
  - missing_env: q
a:
  test.nop: []
