#: a template changes the pillar for those behind it
include: [mutating.later]
{% set vars = salt['pillar.get']('vars', {}) %}
{% do vars.update({'added': 1}) %}
first:
  test.nop:
    - vars: {{ vars }}
