# before: useradd -m -p '$6$salt$old' hashed
# look: awk -F: '/^hash/ { print $1, substr($2, 1, 3) }' /etc/shadow
hashed: {user.present: [{password: secret}, {hash_password: true}, {enforce_password: false}]}
hash-new: {user.present: [{uid: 2400}, {password: secret}, {hash_password: true}, {enforce_password: false}]}
