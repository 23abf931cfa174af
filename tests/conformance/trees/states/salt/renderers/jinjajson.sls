#!jinja|json
{"a{{ 1 }}": {"test.nop": []}}
