#: refused: import of nothing
{% import "no/such.jinja" as x %}
