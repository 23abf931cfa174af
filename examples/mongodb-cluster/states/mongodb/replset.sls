{#- On the primary of a set, once its secondaries answer: makes the set of whom the mine knows. -#}
{% from tpldir ~ '/map.jinja' import mongodb, members, replset, is_config, port with context %}

include:
  - .server

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

replica set:
  cmd.run:
    - name: mongosh --quiet --port {{ port }} {{ mongodb.root }}/etc/mongodb-replset.js
    - onchanges:
        - file: replica set script
    - require:
        - cmd: mongodb answers
