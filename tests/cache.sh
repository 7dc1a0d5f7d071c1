# shellcheck shell=bash
# Makes what tests need once, into a cache outside the sources. Sourced by a script that has set
#
#   here        the folder of the script
#   label       what its messages begin with, and the name of its folder in the cache
#   sources     the files in `here` that say what is made
#   settings    what else says so, in words
#   programs    the programs that must be in what is made, relative to its folder
#
# The script then defines `fill FOLDER`, which makes it, and calls `provide`, which prints the folder with the programs as its
# only line on standard output; progress goes to standard error.
set -euo pipefail
: "${here:?}" "${label:?}" "${sources[0]:?}" "${settings[0]:?}" "${programs[0]:?}"

cache_root=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set; set one of them}/.cache}/external-secrets

say() { echo "$label: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

checksum() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-16
}

# Whether folder $1 has all the programs named after it.
has_all() {
  local folder=$1 program
  shift
  for program in "$@"; do
    [[ -x $folder/$program ]] || return 1
  done
}

# Prints the folder with the programs, and makes them first where they are not there. $1: what the result depends on besides
# the sources, the settings and the machine.
provide() {
  local cache=$cache_root/$label key result part
  mkdir -p "$cache"
  key=$({
    (cd "$here" && cat "${sources[@]}")
    echo "${settings[@]}" "${programs[@]}" "$(uname -sm)" "${1:-}"
  } | checksum)
  result=$cache/$key

  if ! has_all "$result" "${programs[@]}"; then
    # Two runs at once build once. Where there is no flock they may build twice, which is slow but
    # right, since the result appears whole or not at all.
    exec 9>"$result.lock"
    if command -v flock >/dev/null; then
      if ! flock --nonblock 9; then
        say "another run is building; waiting for it"
        flock 9
      fi
      # What an interrupted run left.
      rm -rf "$result".part-*
    fi
    if ! has_all "$result" "${programs[@]}"; then
      part=$(mktemp -d "$result.part-XXXXXX")
      # shellcheck disable=SC2064 # the folder's name of now is meant
      trap "rm -rf '$part'" EXIT
      fill "$part"
      chmod 755 "$part"
      rm -rf "$result"
      mv "$part" "$result"
      say "built into $result"
    fi
    exec 9>&-
  fi
  echo "$result"
}
