{% from tpldir ~ '/map.jinja' import mongodb with context %}

mongodb repository:
  pkgrepo.managed:
    - humanname: MongoDB {{ mongodb.version }}
{% if grains.os_family == 'Debian' %}
    - name: >-
        deb [signed-by=/etc/apt/keyrings/mongodb.gpg]
        https://repo.mongodb.org/apt/debian {{ grains.oscodename }}/mongodb-org/{{ mongodb.version }} main
    - file: /etc/apt/sources.list.d/mongodb-org.list
    - key_url: https://pgp.mongodb.com/server-{{ mongodb.version }}.asc
    - aptkey: False
{% else %}
    - name: mongodb-org
    - baseurl: https://repo.mongodb.org/yum/redhat/$releasever/mongodb-org/{{ mongodb.version }}/$basearch/
    - gpgkey: https://pgp.mongodb.com/server-{{ mongodb.version }}.asc
    - gpgcheck: 1
{% endif %}
