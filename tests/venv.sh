# shellcheck shell=bash
# Makes a virtual environment with the packages of a requirements.txt, once. Sourced by a script beside that file after it has set
# here, label and programs; see cache.sh. Prints the folder that holds it.
set -euo pipefail
: "${here:?}" "${label:?}" "${programs[0]:?}"

# shellcheck disable=SC2034 # for cache.sh
sources=(requirements.txt) settings=(venv)
# shellcheck source=cache.sh
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

fill() {
  "$python" -m venv "$1" >&2 || missing
  # By the interpreter, not by its scripts, which hold the name that the folder has now.
  "$1/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --requirement "$here/requirements.txt" >&2
}

missing() { fail "Python is missing: install Python 3.9 or later with its module venv, or name it in PYTHON, and run this again"; }

python=${PYTHON:-python3}
command -v "$python" >/dev/null || missing
provide
