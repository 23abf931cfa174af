{% import "no/such.jinja" as x %}
