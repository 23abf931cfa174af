a:
  test.nop:
    - require_in: [{test: b}]
    - watch_in: [{test: c}]
    - onchanges_in: [{test: b}]
    - onfail_in: [{test: c}]
    - prereq_in: [{test: b}]
    - listen_in: [{test: b}]
b:
  test.nop: []
c:
  test.nop:
    - require: [{test: b}]
u:
  file.managed:
    - mode: 600
    - user: root
v:
  file.managed:
    - use: [{file: u}]
    - user: me
x:
  file.managed:
    - use_in: [{file: u}]
    - group: g
