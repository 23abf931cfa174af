# before: for f in m1 m2 k1 b1; do printf '{"old": 1}' > $f; done
yaml: {file.serialize: [{name: '@ROOT@/y'}, {dataset: {b: [1, two], a: {x: true}}}, {serializer: yaml}]}
yaml-default: {file.serialize: [{name: '@ROOT@/yd'}, {dataset: {b: [1, two], a: null}}]}
json: {file.serialize: [{name: '@ROOT@/j'}, {dataset: {b: [1, two], a: null}}, {serializer: json}]}
formatter: {file.serialize: [{name: '@ROOT@/f'}, {dataset: {k: v}}, {formatter: json}]}
toml: {file.serialize: [{name: '@ROOT@/t'}, {dataset: {k: v, s: {x: 1}}}, {serializer: toml}]}
configparser: {file.serialize: [{name: '@ROOT@/c'}, {dataset: {s: {k: v, n: 1}}}, {serializer: configparser}]}
plist: {file.serialize: [{name: '@ROOT@/pl'}, {dataset: {k: v}}, {serializer: plist}]}
python: {file.serialize: [{name: '@ROOT@/py'}, {dataset: {k: v}}, {serializer: python}]}
unknown: {file.serialize: [{name: '@ROOT@/u'}, {dataset: {k: v}}, {serializer: no-such}]}
pillar: {file.serialize: [{name: '@ROOT@/p'}, {dataset_pillar: deep}, {serializer: json}]}
owner: {file.serialize: [{name: '@ROOT@/o'}, {dataset: {k: v}}, {user: daemon}, {group: games}, {mode: '0640'}]}
backup: {file.serialize: [{name: '@ROOT@/b1'}, {dataset: {k: v}}, {serializer: json}, {backup: minion}]}
makedirs: {file.serialize: [{name: '@ROOT@/d/e'}, {dataset: {k: v}}, {makedirs: true}]}
no-parent: {file.serialize: [{name: '@ROOT@/n/e'}, {dataset: {k: v}}]}
hidden: {file.serialize: [{name: '@ROOT@/h'}, {dataset: {k: v}}, {show_changes: false}]}
create-no: {file.serialize: [{name: '@ROOT@/cn'}, {dataset: {k: v}}, {create: false}]}
merged: {file.serialize: [{name: '@ROOT@/m1'}, {dataset: {new: 2}}, {serializer: json}, {merge_if_exists: true}]}
deserializer: {file.serialize: [{name: '@ROOT@/m2'}, {dataset: {new: 2}}, {serializer: json}, {merge_if_exists: true}, {deserializer_opts: [{strict: false}]}]}
options: {file.serialize: [{name: '@ROOT@/so'}, {dataset: {b: [1], a: x}}, {serializer: json}, {serializer_opts: [{indent: 4}, {sort_keys: true}]}]}
options-yaml: {file.serialize: [{name: '@ROOT@/sy'}, {dataset: {b: [1], a: x}}, {serializer: yaml}, {serializer_opts: [{indent: 4}, {default_flow_style: true}]}]}
encoding: {file.serialize: [{name: '@ROOT@/en'}, {dataset: {k: 'é'}}, {serializer: json}, {encoding: utf-8}, {encoding_errors: strict}]}
check: {file.serialize: [{name: '@ROOT@/ck'}, {dataset: {k: v}}, {serializer: json}, {check_cmd: grep -q k}, {tmp_ext: .json}, {tmp_dir: '@ROOT@'}]}
check-fails: {file.serialize: [{name: '@ROOT@/cf'}, {dataset: {k: v}}, {serializer: json}, {check_cmd: grep -q z}]}
nothing: {file.serialize: [{name: '@ROOT@/no'}]}
both: {file.serialize: [{name: '@ROOT@/bo'}, {dataset: {k: v}}, {dataset_pillar: deep}]}
yaml-beyond: {file.serialize: [{name: '@ROOT@/beyond'}, {dataset: {a: [1, {b: é}], 'ö': 日本, t: true}}, {formatter: yaml}]}
yaml-unicode: {file.serialize: [{name: '@ROOT@/unicode'}, {dataset: {a: é}}, {serializer: yaml}, {serializer_opts: [{allow_unicode: true}]}]}
