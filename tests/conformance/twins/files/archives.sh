# Makes archives of every kind, run in @ROOT@.
set -e
files=$(cd "$(dirname "$0")" && pwd)
mkdir -p app/sub flat && echo one >app/one && echo two >app/sub/two && echo x >flat/x && echo y >flat/y
chmod 755 app/sub && chmod 600 app/one && ln -s one app/link
touch -h -d @1700000000 app/* app/sub/* app app/sub flat/*
reproducible='--sort=name --owner=0 --group=0 --numeric-owner --format=gnu'
tar $reproducible -cf app.tar app
gzip -nk app.tar && xz -k app.tar && bzip2 -k app.tar && cp app.tar.gz app.tgz && cp app.tar.gz app.unknown
zip -qXry app.zip app
(cd flat && tar $reproducible -cf ../flat.tar x y && zip -qX ../flat.zip x y && zip -qX -P secret "$files/secret.zip" x y)
(cd app && tar $reproducible -cf ../twins.tar one link)
echo garbage >broken.tar.gz
sha256sum app.tar.gz | sed 's/app.tar.gz/some-name/' >hashes
rm -rf app flat
mkdir there there-clean there-parent there-over old-owner missing-some
for folder in there there-clean there-parent there-over; do
    tar -xf app.tar -C $folder && echo stray >$folder/app/stray && echo outside >$folder/outside && echo changed >$folder/app/one
done
tar -xf app.tar -C old-owner && tar -xf app.tar -C missing-some && rm missing-some/app/one
echo there >if-missing
cp app.tar "$files/app.tar"
