# before: git init -q r; cd r; git config one.value 1; git config old.value 1; git config gone.value 1; git config --add many.value a; git config --add many.value b; git config --add multi.value a; git config --add multi.value b; git config --add unmany.value a; git config --add unmany.value b; git config sect.one 1; git config sect.two 2; git config regex.value abc; git config regex2.value abc; git config --global glob.old 1; git config --global glob.gone 1; useradd -m twin; cd ..; for d in rs all sections names; do cp -r r $d; done
# tree: none
# look: git config --global -l; for d in r rs all sections names; do echo $d; git -C $d config --local -l | grep -v ^core; done; cat /home/twin/.gitconfig
new.value: {git.config_set: [{value: x}, {repo: '@ROOT@/r'}]}
number: {git.config_set: [{name: number.value}, {value: 5}, {repo: '@ROOT@/r'}]}
bool: {git.config_set: [{name: bool.value}, {value: true}, {repo: '@ROOT@/r'}]}
one.value: {git.config_set: [{value: '1'}, {repo: '@ROOT@/r'}]}
old.value: {git.config_set: [{value: '2'}, {repo: '@ROOT@/r'}]}
many.value: {git.config_set: [{value: c}, {repo: '@ROOT@/r'}]}
multi.value: {git.config_set: [{multivar: [b, c]}, {repo: '@ROOT@/r'}]}
multi-new: {git.config_set: [{name: newmulti.value}, {multivar: [a, b]}, {repo: '@ROOT@/r'}]}
both: {git.config_set: [{name: both.value}, {value: a}, {multivar: [a, b]}, {repo: '@ROOT@/r'}]}
neither: {git.config_set: [{name: neither.value}, {repo: '@ROOT@/r'}]}
no-repo: {git.config_set: [{name: no.repo}, {value: 1}, {repo: '@ROOT@/none'}]}
no-section: {git.config_set: [{name: nosection}, {value: a}, {repo: '@ROOT@/r'}]}
global: {git.config_set: [{name: glob.new}, {value: '1'}, {global: true}]}
global-old: {git.config_set: [{name: glob.old}, {value: '2'}, {global: true}]}
global-user: {git.config_set: [{name: glob.user}, {value: '3'}, {global: true}, {user: twin}]}
user-none: {git.config_set: [{name: glob.user}, {value: '3'}, {global: true}, {user: nowhere}]}
encoding: {git.config_set: [{name: enc.value}, {value: ü}, {repo: '@ROOT@/r'}, {output_encoding: utf-8}]}
gone.value: {git.config_unset: [{repo: '@ROOT@/r'}]}
regex.value: {git.config_unset: [{value_regex: 'a.*'}, {repo: '@ROOT@/r'}]}
regex2.value: {git.config_unset: [{value_regex: 'x.*'}, {repo: '@ROOT@/r'}]}
unmany.value: {git.config_unset: [{repo: '@ROOT@/r'}]}
unmany-all: {git.config_unset: [{name: unmany.value}, {repo: '@ROOT@/all'}, {all: true}]}
section: {git.config_unset: [{name: 'sect\..*'}, {repo: '@ROOT@/sections'}, {all: true}]}
never: {git.config_unset: [{name: never.value}, {repo: '@ROOT@/r'}]}
unset-global: {git.config_unset: [{name: glob.gone}, {global: true}]}
unset-user: {git.config_unset: [{name: glob.gone}, {global: true}, {user: twin}]}
unset-user-none: {git.config_unset: [{name: glob.gone}, {global: true}, {user: nowhere}, {output_encoding: utf-8}]}
unset-no-repo: {git.config_unset: [{name: glob.gone}, {repo: '@ROOT@/none'}]}
