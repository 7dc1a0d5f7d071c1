# shellcheck shell=bash
# Builds programs from Go modules, once. Sourced by a script `build` beside a go.mod after it has set
#
#   here, label, programs   see cache.sh
#   flags                   what `go build` is given
#   estimate                how long that takes, in words
#   own                     the files beside it that are built with it, where there are any
#
# The script then defines `package_of PROGRAM` (the Go package) and, where some programs come from elsewhere, `fill FOLDER`,
# and calls `provide`.
set -euo pipefail
: "${here:?}" "${label:?}" "${programs[0]:?}" "${flags[0]:?}" "${estimate:?}"
own=("${own[@]+"${own[@]}"}")

# shellcheck disable=SC2034 # for cache.sh
sources=(go.mod go.sum "${own[@]}") settings=("${flags[@]}")
go_tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cache.sh
source "$go_tools/cache.sh"

# Builds the programs $2... into folder $1.
build() {
  local target=$1 packages=() program package total go_version
  shift
  for program in "$@"; do
    packages+=("$(package_of "$program")")
  done
  # CGO off: the programs need no C library, and the result does not depend on a compiler's presence.
  export CGO_ENABLED=0
  cd "$here"
  go_version=$("$go_tools/go" version)
  say "building $*: $estimate, once; $go_version"
  say "downloading the Go modules that are not there yet"
  "$go_tools/go" list -deps "${packages[@]}" >"$target/packages"
  total=$(wc -l <"$target/packages")
  say "compiling up to $((total)) packages"
  "$go_tools/go" build -v "${flags[@]}" -o "$target/" "${packages[@]}" 2>&1 | progress "$((total))"
  rm "$target/packages"
  # Go names a program after the last part of its package that is not a version, such as `server` for .../server/v3.
  for program in "$@"; do
    package=$(package_of "$program")
    if [[ ${package##*/} =~ ^v[0-9]+$ ]]; then package=${package%/*}; fi
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
