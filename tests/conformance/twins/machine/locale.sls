# before: rm -f /etc/locale.conf /usr/bin/localectl; mkdir -p /etc/default; echo 'LANG=C.UTF-8' >/etc/default/locale; printf '# en_US.UTF-8 UTF-8\n# de_AT.UTF-8 UTF-8\n' >/etc/locale.gen
# look: cat /etc/default/locale; cat /etc/locale.gen; locale -a
# tree: none
there: {locale.present: [{name: C.UTF-8}]}
new: {locale.present: [{name: de_AT.UTF-8}]}
none: {locale.present: [{name: xx_YY.UTF-8}]}
