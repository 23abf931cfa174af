later:
  test.nop:
    - vars: {{ pillar.vars }}
    - got: {{ salt['pillar.get']('vars') }}
