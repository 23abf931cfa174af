a:
  test.nop:
    - require_in: [{test: b}]
    - listen_in: [{test: b}]
b:
  test.nop: []
c:
  test.nop: []
u:
  file.managed:
    - mode: 600
v:
  file.managed:
    - use: [{file: u}]
