{% if false %}a: b{% endif %}
