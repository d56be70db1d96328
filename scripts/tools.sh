# Tools that tests call and that are not the machine's: into .dev/, by the ordinary clients.
# To be sourced from the project's folder.

export PATH="$PWD/.dev/bin:$PWD/.dev/node/node_modules/.bin:$PATH"

# grpcurl, by the Go toolchain.
install_grpcurl() {
  [ -x .dev/bin/grpcurl ] && return
  command -v go >/dev/null || {
    echo 'grpcurl is built with Go: install Go 1.21 or newer (https://go.dev/dl), then try again' >&2
    return 1
  }
  echo 'installing grpcurl into .dev/bin …'
  GOBIN="$PWD/.dev/bin" go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
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
