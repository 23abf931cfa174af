{#- What of a router needs no server. Its config servers are those that told the mine. -#}
{% from tpldir ~ '/map.jinja' import mongodb, members with context %}

router key:
  file.managed:
    - name: {{ mongodb.root }}/etc/mongodb.key
    - contents_pillar: mongodb:key
    - makedirs: True
    - mode: '0400'
    - show_changes: False

router configuration:
  file.managed:
    - name: {{ mongodb.root }}/etc/mongos.conf
    - source: salt://mongodb/files/mongos.conf.jinja
    - template: jinja
    - makedirs: True
    - context:
        root: {{ mongodb.root | yaml_dquote }}
        port: {{ mongodb.ports.router }}
        config_port: {{ mongodb.ports.config }}
        config_servers: {{ members('config') }}
