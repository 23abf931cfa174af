# before: touch /etc/environment
plain: {environ.setenv: [{name: ONE}, {value: one}]}
several: {environ.setenv: [{name: any}, {value: {TWO: two, THREE: three}}]}
same: {environ.setenv: [{name: HOME}, {value: /root}]}
false-unsets: {environ.setenv: [{name: HOME}, {value: false}, {false_unsets: true}]}
no-text: {environ.setenv: [{name: FALSE}, {value: false}]}
unsets-none: {environ.setenv: [{name: any}, {value: {NEVER: false}}, {false_unsets: true}]}
update: {environ.setenv: [{name: FOUR}, {value: four}, {update_minion: true}]}
number: {environ.setenv: [{name: FIVE}, {value: 5}]}
bad: {environ.setenv: [{name: any}, {value: [a]}]}
bad-within: {environ.setenv: [{name: any}, {value: {SIX: [a]}}]}
number-within: {environ.setenv: [{name: any}, {value: {SEVEN: 7}}]}
