{#- What of a replica set needs no server: the script that makes it, of whom the mine knows. -#}
{% from tpldir ~ '/map.jinja' import mongodb, members, replset, is_config, port with context %}

replica set script:
  file.managed:
    - name: {{ mongodb.root }}/etc/mongodb-replset.js
    - source: salt://mongodb/files/replset.js.jinja
    - template: jinja
    - makedirs: True
    - context:
        replset: {{ replset }}
        configsvr: {{ is_config }}
        port: {{ port }}
        members: {{ members(replset) }}
