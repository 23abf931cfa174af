#!yaml_jinja
#: renderer yaml_jinja
a{{ 1 }}:
  test.nop: []
