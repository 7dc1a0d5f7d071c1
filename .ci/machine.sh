# shellcheck shell=bash
# Makes of this machine one that has what `.ci/tools` lists, and nothing else. Sourced by the scripts beside it.

# Gives what comes after it folders of its own below $1 for all that is kept outside the sources, an empty home folder, and a PATH
# of the listed programs. How the machine reaches the registries of packages comes through by the variables of cargo, pip and Go;
# their files in the home folder do not.
own_machine() {
  local root=$1 tool place
  export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
  rm -rf "${root:?}/bin" "${root:?}/home"
  mkdir -p "$root/bin" "$root/home" "$root/cache"
  while read -r tool; do
    if place=$(type -P "$tool"); then ln -s "$place" "$root/bin/$tool"; fi
  done < <(sed 's/#.*//' "$(dirname "${BASH_SOURCE[0]}")/tools" | xargs -n 1)
  export PATH=$root/bin
  export HOME=$root/home
  export XDG_CACHE_HOME=$root/cache PIP_CACHE_DIR=$root/pip CARGO_HOME=$root/cargo
  export GOENV=off GOPATH=$root/go GOMODCACHE=$root/go/pkg/mod GOCACHE=$root/go-build
  unset XDG_CONFIG_HOME XDG_DATA_HOME KUBECONFIG KUBEBUILDER_ASSETS PYTHONPATH PYTHON "${!AZURE_@}" "${!HELM_@}"
  unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR RUSTUP_TOOLCHAIN RUSTFLAGS
}

# From here on nothing can be fetched: what was not there by then is seen.
offline() {
  export CARGO_NET_OFFLINE=true GOPROXY=off PIP_NO_INDEX=1
  unset PIP_FIND_LINKS
}

# Removes a folder, also what Go has made read-only.
remove() {
  [[ -e $1 ]] || return 0
  chmod -R u+w "$1"
  rm -rf "$1"
}
