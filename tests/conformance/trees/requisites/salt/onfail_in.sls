#: onfail_in: state and id, onfail_in: state and name, onfail_in: bare id, onfail_in: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - mode: "0644"
    - group: staff
    - onfail_in: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - mode: "0644"
    - group: staff
    - onfail_in: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - mode: "0644"
    - group: staff
    - onfail_in: [other-id]
several:
  file.managed:
    - name: /d/several
    - mode: "0644"
    - group: staff
    - onfail_in: [{file: target-id}, {pkg: other-id}, {test: web-1}]
