#!jinja|yamlex
#: renderer yamlex
{% set more = ['b', 'c'] %}
several: !aggregate
  test.configurable_test_state:
    - changes: True
several: !aggregate
  test.configurable_test_state:
    - comment: !aggregate first
merged:
  test.nop:
    - values: !aggregate [a]
    - map: {one: !aggregate {x: 1}, two: !reset 2}
    - more: {{ more | json }}
