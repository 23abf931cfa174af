#: onfail_all: state and id, onfail_all: state and name, onfail_all: bare id, onfail_all: id, onfail_all: glob, onfail_all: sls, onfail_all: several
include: [targets]
by-id:
  file.managed:
    - name: /d/by-id
    - onfail_all: [{file: target-id}]
by-name:
  file.managed:
    - name: /d/by-name
    - onfail_all: [{file: /target/path}]
bare:
  file.managed:
    - name: /d/bare
    - onfail_all: [target-id]
id:
  file.managed:
    - name: /d/id
    - onfail_all: [{id: other-id}]
glob:
  file.managed:
    - name: /d/glob
    - onfail_all: [{test: 'web-*'}]
sls:
  file.managed:
    - name: /d/sls
    - onfail_all: [{sls: targets}]
several:
  file.managed:
    - name: /d/several
    - onfail_all: [{file: target-id}, {pkg: target-pkg}, web-1]
