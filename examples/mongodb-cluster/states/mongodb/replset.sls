{#- On the primary of a set, once its secondaries answer. -#}
{% from tpldir ~ '/map.jinja' import mongodb, port with context %}

include:
  - .server
  - .replset_config

replica set:
  cmd.run:
    - name: mongosh --quiet --port {{ port }} {{ mongodb.root }}/etc/mongodb-replset.js
    - onchanges:
        - file: replica set script
    - require:
        - cmd: mongodb answers
