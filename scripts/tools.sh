# Tools that tests call and that are not the machine's: into .dev/, by the ordinary clients.
# To be sourced from the project's folder.

export PATH="$PWD/.dev/bin:$PWD/.dev/node/node_modules/.bin:$PATH"

# go_install NAME MODULE@VERSION: a Go program into .dev/bin.
go_install() {
  [ -x ".dev/bin/$1" ] && return
  command -v go >/dev/null || {
    echo "$1 is built with Go: install Go 1.21 or newer (https://go.dev/dl), then try again" >&2
    return 1
  }
  echo "installing $1 into .dev/bin …"
  GOBIN="$PWD/.dev/bin" go install "$2"
}

install_grpcurl() { go_install grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3; }

# The gRPC conformance suite, its cases included.
install_connectconformance() {
  go_install connectconformance connectrpc.com/conformance/cmd/connectconformance@v1.0.7
}

# Node 22 or newer: the machine's, else npm's package `node` into .dev/node.
install_node() {
  local major
  major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
  [ "$major" -ge 22 ] && return
  command -v npm >/dev/null || {
    echo 'Node 22 or newer is needed, or an npm that can install it' >&2
    return 1
  }
  echo 'installing Node 22 into .dev/node …'
  mkdir -p .dev/node
  npm install --prefix .dev/node --no-fund --no-audit --loglevel=error node@22
}

install_cargo_fuzz() {
  [ -x .dev/bin/cargo-fuzz ] && return
  echo 'installing cargo-fuzz into .dev/bin …'
  cargo install --quiet --root .dev --locked cargo-fuzz@0.13.2
}
