{% from tpldir ~ '/map.jinja' import data, version, secrets, addresses with context %}
{% set primaries = addresses('G@role:database and G@replication:primary') | load_json %}
{% if not primaries %}
{{ raise('the mine knows no primary yet: is its minion connected?') }}
{% endif %}

replication password:
  file.managed:
    - name: /var/lib/postgresql/.pgpass
    - contents: '*:*:replication:replicator:{{ secrets.replication_password }}'
    - user: postgres
    - group: postgres
    - mode: '0600'
    - show_changes: False
    - require:
        - pkg: postgresql packages

# What the package made is kept aside; a data directory that is a replica already is left alone.
copy of the primary:
  cmd.run:
    - name: |
        set -e
        pg_ctlcluster --force {{ version }} main stop || true
        if [ -d {{ data }} ]; then mv {{ data }} {{ data }}.before-replication; fi
        pg_basebackup --host={{ primaries[0] }} --username=replicator --no-password \
            --pgdata={{ data }} --wal-method=stream --write-recovery-conf
    - runas: postgres
    - creates: {{ data }}/standby.signal
    - require:
        - file: replication password
        - file: postgresql settings
    - require_in:
        - service: postgresql
