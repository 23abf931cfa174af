{% set merged = salt['slsutil.merge']({'a': {'b': [1], 'c': grains.os}}, {'a': {'b': [2], 'd': salt['config.get']('os_family')}}, strategy='smart', merge_lists=true) %}
merged:
  test.nop:
    - values: {{ merged | json }}
    - where: {{ salt['pillar.get']('where', 'nowhere') }}
    - text: {{ salt['slsutil.serialize']('yaml', {'os': grains.os, 'list': [1, 2]}) | yaml_dquote }}
