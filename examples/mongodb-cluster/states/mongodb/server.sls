{% from tpldir ~ '/map.jinja' import mongodb, port with context %}

include:
  - .repository
  - .config

mongodb server:
  pkg.installed:
    - pkgs: [{{ mongodb.package }}, {{ mongodb.shell }}]
    - require:
        - pkgrepo: mongodb repository
    - require_in:
        - file: mongodb data
  service.running:
    - name: mongod
    - enable: True
    - watch:
        - file: mongodb configuration
        - file: mongodb key

# The stage that needs this server begins when it answers, not when its process exists.
mongodb answers:
  cmd.run:
    - name: mongosh --quiet --port {{ port }} --eval 'db.hello().ok'
    - unless: mongosh --quiet --port {{ port }} --eval 'db.hello().ok'
    - retry: {attempts: 30, interval: 1}
    - require:
        - service: mongodb server
