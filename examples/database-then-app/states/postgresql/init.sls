{% from tpldir ~ '/map.jinja' import etc, replica, addresses with context %}
{% set peers = addresses('G@role:database') | load_json %}
{% set apps = addresses('G@role:app') | load_json %}

include:
  - .{{ 'replica' if replica else 'primary' }}

postgresql packages:
  pkg.installed:
    - name: postgresql

postgresql settings:
  file.managed:
    - name: {{ etc }}/conf.d/overstate.conf
    - source: salt://postgresql/files/overstate.conf
    - makedirs: True
    - user: postgres
    - group: postgres
    - require:
        - pkg: postgresql packages

# Whom the mine knows may come in, and nobody else; a new host needs one more run of this.
postgresql access:
  file.managed:
    - name: {{ etc }}/pg_hba.conf
    - source: salt://postgresql/files/pg_hba.conf.jinja
    - template: jinja
    - user: postgres
    - group: postgres
    - mode: '0640'
    - context:
        peers: {{ peers | json }}
        apps: {{ apps | json }}
    - require:
        - pkg: postgresql packages

postgresql:
  service.running:
    - enable: True
    - watch:
        - file: postgresql settings

# New rules are read without dropping anybody.
postgresql access is read:
  cmd.run:
    - name: psql -qtAc 'select pg_reload_conf()'
    - runas: postgres
    - onchanges:
        - file: postgresql access
    - require:
        - service: postgresql
