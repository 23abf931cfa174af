# before: OLD='one two held held-other' NEW= SINGLE= sh ../salt/files/repository.sh; apt-mark hold held held-other
# look: apt-mark showhold
only: {pkg.held: [{pkgs: [one, held]}, {replace: true}]}
