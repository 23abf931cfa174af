#: refused: a template that ends badly
{% if %}
