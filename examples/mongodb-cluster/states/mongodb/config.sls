{#- Everything that needs no server: configuration, key file, directories. -#}
{% from tpldir ~ '/map.jinja' import mongodb, replset, is_config, port with context %}

mongodb data:
  file.directory:
    - name: {{ mongodb.root }}/var/lib/mongodb
    - makedirs: True
    - mode: '0750'

# Members of one cluster know each other by this key; the server refuses it when others can read it.
mongodb key:
  file.managed:
    - name: {{ mongodb.root }}/etc/mongodb.key
    - contents_pillar: mongodb:key
    - makedirs: True
    - mode: '0400'
    - show_changes: False

mongodb configuration:
  file.managed:
    - name: {{ mongodb.root }}/etc/mongod.conf
    - source: salt://mongodb/files/mongod.conf.jinja
    - template: jinja
    - makedirs: True
    - mode: '0644'
    - context:
        root: {{ mongodb.root | yaml_dquote }}
        replset: {{ replset }}
        cluster_role: {{ 'configsvr' if is_config else 'shardsvr' }}
        port: {{ port }}
    - require:
        - file: mongodb data
        - file: mongodb key
