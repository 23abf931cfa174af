#: require_in: state and id, require_in: state and name, require_in: bare id, require_in: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - mode: "0644"
    - group: staff
    - require_in: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - mode: "0644"
    - group: staff
    - require_in: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - mode: "0644"
    - group: staff
    - require_in: [other-id]
several:
  file.managed:
    - name: /d/several
    - mode: "0644"
    - group: staff
    - require_in: [{file: target-id}, {pkg: other-id}, {test: web-1}]
