#: context tplroot, tag import as, tag from with context, tag import_yaml, tag import_json, tag import_text, tag include with a name, tag include ignore missing
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata, m with context %}
{%- from "./local.jinja" import where %}
{%- import "vars/map.jinja" as whole %}
{%- import_yaml "vars/defaults.yaml" as defaults %}
{%- import_json "vars/data.json" as data %}
{%- import_text "vars/text.txt" as text %}
x:
  test.nop:
    - mapdata: {{ mapdata | yaml }}
    - macro: {{ m('q') }}
    - where: {{ where }}
    - whole: {{ whole.mapdata.a }}
    - defaults: {{ defaults | json }}
    - port: {{ defaults.ports[8080] }}
    - data: {{ data.list }}
    - text: {{ text | yaml_dquote }}
    - after: {{ tpldir }}
{% include "vars/part.jinja" %}
{% include "vars/nope.jinja" ignore missing %}
