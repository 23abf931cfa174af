# before: mkdir -p d/e; touch f d/e/g; ln -s f l; ln -s none dangling; touch here
file: {file.absent: [{name: '@ROOT@/f'}]}
folder: {file.absent: [{name: '@ROOT@/d'}]}
link: {file.absent: [{name: '@ROOT@/l'}]}
dangling: {file.absent: [{name: '@ROOT@/dangling'}]}
nothing: {file.absent: [{name: '@ROOT@/none'}]}
relative: {file.absent: [{name: none}]}
root: {file.absent: [{name: /}]}
names: {file.absent: [{names: ['@ROOT@/n1', '@ROOT@/n2']}]}
missing: {file.missing: [{name: '@ROOT@/none'}]}
not-missing: {file.missing: [{name: '@ROOT@/here'}]}
exists: {file.exists: [{name: '@ROOT@/here'}]}
not-exists: {file.exists: [{name: '@ROOT@/none'}]}
exists-none: {file.exists: [{name: ''}]}
missing-none: {file.missing: [{name: ''}]}
