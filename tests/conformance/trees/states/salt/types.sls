#: arguments of every type
a:
  test.configurable_test_state:
    - changes: yes
    - mode: 0644
    - ip: 1.2.3.4
    - float: 1.50
    - none: ~
    - list: [1, [2], {a: b}]
    - map: {1: one, true: yes, null: x}
    - text: |
        several
        lines
    - state: overridden
    - name: 5
