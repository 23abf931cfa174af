{% from tpldir ~ '/map.jinja' import mongodb, members with context %}

include:
  - .repository
  - .router_config

mongodb router:
  pkg.installed:
    - name: {{ mongodb.router }}
    - require:
        - pkgrepo: mongodb repository
  service.running:
    - name: mongos
    - enable: True
    - watch:
        - file: router configuration
        - file: router key
    - require:
        - pkg: mongodb router
