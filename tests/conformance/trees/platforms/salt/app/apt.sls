{% if grains['os'] == 'Ubuntu' and grains['osrelease']|float >= 20.04 %}
ppa:
  pkgrepo.managed:
    - name: deb http://x/{{ grains['os']|lower }} {{ grains['oscodename'] }} main
    - file: /etc/apt/sources.list.d/{{ grains.oscodename }}.list
{% elif grains.os_family != 'Debian' %}
{{ raise('not a Debian: ' ~ grains.os) if grains.os == 'SUSE' else '' }}
other: test.nop
{% endif %}
apt:
  cmd.run:
    - name: apt-get update
    - onlyif: test {{ grains['osarch'] }} = amd64
