# before: for n in stopped running off on started-off masked masked-run to-mask to-mask-run to-stop stop-off keep init-delay sig flagged no-blink watched; do printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 10000\n[Install]\nWantedBy=multi-user.target\n' $n >/etc/systemd/system/tw-$n.service; done; for n in static; do printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 10000\n' >/etc/systemd/system/tw-$n.service; done; for n in fails fails-on; do printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/tw-$n.service; done; systemctl daemon-reload
# before: systemctl start tw-running tw-to-stop tw-stop-off tw-keep tw-init-delay tw-to-mask; systemctl enable tw-on tw-stop-off tw-to-mask; mv /etc/systemd/system/tw-masked.service /usr/lib/systemd/system/; mv /etc/systemd/system/tw-masked-run.service /usr/lib/systemd/system/; mv /etc/systemd/system/tw-to-mask.service /etc/systemd/system/tw-to-mask-run.service /usr/lib/systemd/system/; systemctl daemon-reload; systemctl mask tw-masked; systemctl mask --runtime tw-masked-run
# look: cd /etc/systemd/system; for n in stopped running off on started-off masked masked-run to-mask to-mask-run to-stop stop-off keep init-delay sig flagged static fails fails-on; do echo tw-$n $(systemctl is-active tw-$n) $(systemctl is-enabled tw-$n 2>&1); done
tw-stopped: {service.running: []}
tw-running: {service.running: []}
tw-started: {service.running: [{name: tw-started-off}, {enable: true}]}
tw-keep: {service.running: [{enable: false}]}
tw-sig: {service.running: [{sig: sleep}]}
tw-init: {service.running: [{name: tw-init-delay}, {init_delay: 1}]}
tw-flagged: {service.running: [{init_delay: 1}, {enable: true}]}
tw-fails: {service.running: []}
tw-fails-on: {service.running: [{enable: true}]}
tw-static: {service.running: [{enable: true}]}
tw-none: {service.running: []}
with-suffix: {service.running: [{name: tw-running.service}]}
tw-to-stop: {service.dead: []}
tw-stop-off: {service.dead: [{enable: false}, {init_delay: 1}]}
tw-off-dead: {service.dead: [{name: tw-off}, {enable: true}, {sig: nothing-of-this-name}]}
tw-no-such: {service.dead: []}
enable: {service.enabled: [{name: tw-no-blink}]}
enable-there: {service.enabled: [{name: tw-on}]}
enable-none: {service.enabled: [{name: tw-no-such}]}
disable: {service.disabled: [{name: tw-to-mask}]}
disable-there: {service.disabled: [{name: tw-watched}]}
disable-none: {service.disabled: [{name: tw-no-such}]}
mask: {service.masked: [{name: tw-to-mask}]}
mask-run: {service.masked: [{name: tw-to-mask-run}, {runtime: true}]}
mask-there: {service.masked: [{name: tw-masked}]}
unmask-none: {service.unmasked: [{name: tw-on}]}
