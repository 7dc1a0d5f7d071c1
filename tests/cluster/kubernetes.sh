# shellcheck shell=bash
# How the programs of Kubernetes are built, of which go.mod beside this file has the version. Sourced by scripts `build`.

kubernetes=1.36.3
# Without a version clients cannot parse what the server says of itself.
version=k8s.io/component-base/version
# shellcheck disable=SC2034 # for go_tools.sh
flags=(
  -trimpath
  -buildvcs=false
  -ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=36"
)
