# before: OLD='held held-other' NEW= SINGLE= sh ../salt/files/repository.sh; apt-mark hold held held-other
# look: apt-mark showhold
free: {pkg.unheld: [{all: true}]}
