#: refused: import of a name that is none
{% from "vars/map.jinja" import nope %}
a{{ nope }}: test.nop
