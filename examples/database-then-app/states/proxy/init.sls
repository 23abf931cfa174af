{% from 'postgresql/map.jinja' import addresses with context %}
{% set apps = addresses('G@role:app') | load_json %}
{% if not apps %}
{{ raise('the mine knows no app server yet: are their minions connected?') }}
{% endif %}

nginx:
  pkg.installed: []
  service.running:
    - enable: True
    - reload: True
    - require:
        - pkg: nginx
    - watch:
        - file: shop site
        - file: default site

default site:
  file.absent:
    - name: /etc/nginx/sites-enabled/default
    - require:
        - pkg: nginx

shop site:
  file.managed:
    - name: /etc/nginx/sites-enabled/shop.conf
    - source: salt://proxy/files/shop.conf.jinja
    - template: jinja
    - context:
        apps: {{ apps | json }}
    - require:
        - pkg: nginx
