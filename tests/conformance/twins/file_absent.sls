# before: mkdir -p d/e; touch f d/e/g; ln -s f l
file: {file.absent: [{name: '@ROOT@/f'}]}
folder: {file.absent: [{name: '@ROOT@/d'}]}
link: {file.absent: [{name: '@ROOT@/l'}]}
nothing: {file.absent: [{name: '@ROOT@/none'}]}
relative: {file.absent: [{name: none}]}
names: {file.absent: [{names: ['@ROOT@/n1', '@ROOT@/n2']}]}
missing: {file.missing: [{name: '@ROOT@/none'}]}
not-missing: {file.missing: [{name: '@ROOT@'}]}
exists: {file.exists: [{name: '@ROOT@'}]}
not-exists: {file.exists: [{name: '@ROOT@/none'}]}
