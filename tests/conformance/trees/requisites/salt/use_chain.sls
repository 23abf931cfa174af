#: use is not chained, use copies no requisites
a:
  file.managed:
    - mode: '0600'
    - require: [{test: n}]
b:
  file.managed:
    - use: [{file: a}]
    - user: me
c:
  file.managed:
    - use: [{file: b}]
n:
  test.nop: []
