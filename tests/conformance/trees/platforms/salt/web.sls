{% from 'map.jinja' import m with context %}
web:
  pkg.installed:
    - name: {{ m.pkg }}
    - v: {{ m.v|default(0) }}
{% if grains.osmajorrelease|int >= 15 %}
new: test.nop
{% endif %}
{% if grains['os'] in ['Rocky', 'CentOS'] %}
rh: test.nop
{% endif %}
