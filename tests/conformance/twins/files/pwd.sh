#!/bin/sh
pwd; id -un; echo "A=$A"
