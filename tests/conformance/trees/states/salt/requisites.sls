z:
  test.nop:
    - require:
      - test: a
a:
  test.nop: []
m:
  test.nop:
    - watch: [{test: z}]
f:
  file.managed:
    - name: /f
    - watch: [{test: z}]
    - onchanges: [{test: a}]
n:
  test.nop:
    - onfail: [{test: m}]
    - listen: [{test: a}]
p:
  test.nop:
    - prereq: [{test: q}]
q:
  test.nop:
    - require: [a]
any:
  test.nop:
    - require_any: [{test: a}, {test: m}]
    - onchanges_any: [{test: z}]
    - onfail_any: [{test: a}]
    - onfail_all: [{test: m}]
    - watch_any: [{test: a}]
by-name:
  cmd.run:
    - name: /bin/true
    - require: [{file: /f}]
glob:
  test.nop:
    - require: [{test: 'a*'}]
byid:
  test.nop:
    - require: [z, {id: m}]
