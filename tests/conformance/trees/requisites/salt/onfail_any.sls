#: onfail_any: state and id, onfail_any: state and name, onfail_any: bare id, onfail_any: id, onfail_any: glob, onfail_any: sls, onfail_any: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - onfail_any: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - onfail_any: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - onfail_any: [target-id]
id:
  file.managed:
    - name: /d/id
    - onfail_any: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - onfail_any: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - onfail_any: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - onfail_any: [{file: target-id}, {pkg: target-pkg}, web-1]
