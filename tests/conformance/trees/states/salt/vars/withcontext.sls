#: tag from sees the importer
{% set local = 1 %}
{% from "vars/needs.jinja" import v with context %}
a:
  test.nop:
    - v: {{ v }}
