#: use_in: state and id, use_in: state and name, use_in: bare id, use_in: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - mode: "0644"
    - group: staff
    - use_in: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - mode: "0644"
    - group: staff
    - use_in: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - mode: "0644"
    - group: staff
    - use_in: [other-id]
several:
  file.managed:
    - name: /d/several
    - mode: "0644"
    - group: staff
    - use_in: [{file: target-id}, {pkg: other-id}, {test: web-1}]
