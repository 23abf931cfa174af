#: onfail: state and id, onfail: state and name, onfail: bare id, onfail: id, onfail: glob, onfail: sls, onfail: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - onfail: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - onfail: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - onfail: [target-id]
id:
  file.managed:
    - name: /d/id
    - onfail: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - onfail: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - onfail: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - onfail: [{file: target-id}, {pkg: target-pkg}, web-1]
