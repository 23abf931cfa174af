{% set v = salt['grains.filter_by']({'8': 'eight', '9': 'nine', 15: 'fifteen', 'default': 'none'}, grain='osmajorrelease') %}
rpm:
  test.configurable_test_state:
    - version: {{ v }}
    - codename: {{ grains.oscodename | yaml_dquote }}
    - release: {{ grains.osrelease }}
    - major: {{ grains.osmajorrelease }}
    - lookup: {{ salt['pillar.get']('app:lookup', {}) | yaml }}
    - match: {{ salt['match.grain']('os_family:RedHat') }}
    - compound: {{ salt['match.compound']('G@os:Rocky or G@osfinger:Ubuntu*') }}
    - by: {{ salt['match.filter_by']({'G@os:Rocky': 'r', 'G@os_family:Debian': 'd', '*': 'any'}) }}
    - old: {{ grains.osmajorrelease < 12 }}
