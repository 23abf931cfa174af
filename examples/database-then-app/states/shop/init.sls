{% from 'postgresql/map.jinja' import addresses with context %}
{% set databases = addresses('G@role:database') | load_json %}
{% if not databases %}
{{ raise('the mine knows no database yet: are their minions connected?') }}
{% endif %}

shop packages:
  pkg.installed:
    - pkgs: [python3, python3-psycopg2]

shop account:
  user.present:
    - name: shop
    - system: True
    - home: /nonexistent
    - createhome: False
    - shell: /usr/sbin/nologin

shop program:
  file.managed:
    - name: /usr/local/lib/shop/shop.py
    - source: salt://shop/files/shop.py
    - makedirs: True
    - mode: '0755'

shop configuration:
  file.managed:
    - name: /etc/shop.env
    - source: salt://shop/files/shop.env.jinja
    - template: jinja
    - group: shop
    - mode: '0640'
    - show_changes: False
    - context:
        databases: {{ databases | json }}
    - require:
        - user: shop account

{% if grains.init == 'systemd' %}
shop unit:
  file.managed:
    - name: /etc/systemd/system/shop.service
    - source: salt://shop/files/shop.service
{% else %}
shop unit:
  file.managed:
    - name: /etc/init.d/shop
    - source: salt://shop/files/shop.init
    - mode: '0755'
{% endif %}

shop:
  service.running:
    - enable: True
    - require:
        - pkg: shop packages
    - watch:
        - file: shop program
        - file: shop configuration
        - file: shop unit
