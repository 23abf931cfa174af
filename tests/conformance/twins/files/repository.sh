# Makes packages (`NAME VERSION`, with what they need) and two repositories of them: /srv/main, and
# /srv/other of the suite `other`, whose packages apt takes only when told to. Loose ones are in /srv/loose.
set -e
deb() { # FOLDER NAME VERSION [FIELD…]
    place=$(mktemp -d) folder=$1 name=$2 version=$3
    shift 3
    mkdir -p "$place/DEBIAN" "$place/usr/share/$name" "$place/etc/$name"
    echo "$version" >"$place/usr/share/$name/version"
    echo "of $name" >"$place/etc/$name/conf"
    echo "/etc/$name/conf" >"$place/DEBIAN/conffiles"
    (cd "$place" && md5sum "usr/share/$name/version" >DEBIAN/md5sums)
    printf '%s\n' "Package: $name" "Version: $version" "Architecture: all" "Maintainer: Nobody <nobody@localhost>" \
        "Description: made for a test" "$@" >"$place/DEBIAN/control"
    chmod 755 "$place"
    mkdir -p "/srv/$folder"
    SOURCE_DATE_EPOCH=1700000000 dpkg-deb --root-owner-group -Znone -b "$place" \
        "/srv/$folder/${name}_$(echo "$version" | tr : _)_all.deb" >/dev/null
    rm -rf "$place"
}
repository() { # FOLDER FURTHER-LINES-OF-Release
    cd "/srv/$1"
    for file in *.deb; do
        dpkg-deb -f "$file"
        printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
    done >Packages
    printf 'Origin: %s\nSuite: %s\nCodename: %s\nDate: Mon, 01 Jan 2024 00:00:00 UTC\n%b' "$1" "$1" "$1" "$2" >Release
    printf 'SHA256:\n %s %s Packages\n' "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" >>Release
}
for name in $OLD $NEW; do
    deb main "$name" 1.0
    deb main "$name" 2.0
done
for name in $SINGLE; do deb main "$name" 1.0; done
deb main epoch 1:1.0
deb main epoch 1:2.0
deb main needy 1.0 'Depends: needed'
deb main needed 1.0
deb main asking 1.0 'Recommends: asked'
deb main asked 1.0
deb main provider 1.0 'Provides: virtual'
deb main broken 1.0 'Depends: not-there'
deb other elsewhere 3.0
deb other new-from 3.0
deb main new-from 1.0
deb loose loose-one 1.0
deb loose loose-two 1.0
deb loose loose-three 1.0
repository main ''
repository other 'NotAutomatic: yes\n'
for folder in main other; do echo "deb [trusted=yes] file:///srv/$folder ./" >/etc/apt/sources.list.d/$folder.list; done
apt-get update -qq
for name in $OLD; do echo "/srv/main/${name}_1.0_all.deb"; done | xargs -r dpkg -i >/dev/null
