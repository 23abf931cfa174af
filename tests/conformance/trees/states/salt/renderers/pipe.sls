#!jinja | yaml
#: renderer jinja|yaml
a{{ 1 }}:
  test.nop: []
