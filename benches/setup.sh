#!/bin/sh
# Create the environments that bench.py measures: setup.sh [FOLDER [WHEEL]]
#
# One environment per rival, so that no plugin sees another. PYTHON names the interpreter (default: python3). Without a
# wheel, outpace is not installed and its runners are left out.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../.cache/bench}
wheel=${2:-}
python=${PYTHON:-python3}

for name in main zygote rstest; do
    if [ ! -x "$folder/$name/bin/python" ]; then
        "$python" -m venv "$folder/$name"
    fi
    "$folder/$name/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements/$name.txt"
done
if [ -n "$wheel" ]; then
    "$folder/main/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps "$wheel"
fi
