x:
  test.nop:
    - p: {{ pillar | yaml }}
