#: require: a name that two states have
a:
  file.managed:
    - name: /x
b:
  file.absent:
    - name: /x
c:
  test.nop:
    - require: [{file: /x}]
