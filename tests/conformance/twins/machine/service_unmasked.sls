# before: for n in masked masked-run both; do printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 10000\n' >/usr/lib/systemd/system/tw-$n.service; done; systemctl daemon-reload; systemctl mask tw-masked tw-both; systemctl mask --runtime tw-masked-run
# look: for n in masked masked-run both; do systemctl is-enabled tw-$n; done
was-off: {service.unmasked: [{name: tw-masked}]}
off-run: {service.unmasked: [{name: tw-masked-run}, {runtime: true}]}
start-masked: {service.running: [{name: tw-both}]}
