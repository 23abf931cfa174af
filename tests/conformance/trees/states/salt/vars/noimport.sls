{% from "vars/map.jinja" import nope %}
a{{ nope }}: test.nop
