{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import app with context %}
app-package:
  pkg.installed:
    - name: {{ app.package }}
app-config:
  file.managed:
    - name: {{ app.config.path }}
    - mode: {{ app.config.mode }}
    - user: {{ app.config.owner | default(app.user) }}
    - context: {{ app | json }}
    - require: [{pkg: app-package}]
{%- for service in app.services %}
app-{{ service }}:
  service.running:
    - name: {{ service }}
    - watch: [{file: app-config}]
{%- else %}
no-service: test.nop
{%- endfor %}
