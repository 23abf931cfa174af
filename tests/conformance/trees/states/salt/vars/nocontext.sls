#: tag from without context
{% set local = 1 %}
{% from "vars/needs.jinja" import v %}
a:
  test.nop:
    - v: {{ v }}
