{% from tpldir ~ '/map.jinja' import etc with context %}

# Passwords are in it, so only the database's own account may read it.
shop schema:
  file.managed:
    - name: {{ etc }}/shop.sql
    - source: salt://postgresql/files/shop.sql.jinja
    - template: jinja
    - user: postgres
    - group: postgres
    - mode: '0600'
    - show_changes: False
    - require:
        - pkg: postgresql packages
  cmd.run:
    - name: psql -q -v ON_ERROR_STOP=1 -f {{ etc }}/shop.sql
    - runas: postgres
    - onchanges:
        - file: shop schema
    - require:
        - service: postgresql
