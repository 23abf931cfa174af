# before: for n in restart reload start full; do printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 10000\nExecReload=/bin/touch @ROOT@/reloaded-%%N\nExecStop=/bin/touch @ROOT@/stopped-%%N\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/tw-$n.service; done; systemctl daemon-reload; systemctl start tw-restart tw-reload tw-full
change: {file.managed: [{name: '@ROOT@/changed'}, {contents: x}]}
tw-restart: {service.running: [{watch: [file: change]}]}
tw-reload: {service.running: [{reload: true}, {watch: [file: change]}]}
tw-start: {service.running: [{watch: [file: change]}]}
tw-full: {service.running: [{full_restart: true}, {watch: [file: change]}]}
