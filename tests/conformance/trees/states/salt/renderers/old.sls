#!yaml_jinja
a{{ 1 }}:
  test.nop: []
