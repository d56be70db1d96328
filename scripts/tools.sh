# Tools that tests call and that are not the machine's: into .dev/, by the ordinary clients.
# To be sourced from the project's folder.

export PATH="$PWD/.dev/bin:$PWD/.dev/node/node_modules/.bin:$PATH:/usr/sbin"

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

# buf, of the web part's packages. Needs install_node.
install_buf() {
  web/install.sh && mkdir -p .dev/bin && ln -sf ../../web/node_modules/.bin/buf .dev/bin/buf
}

# A package of Debian's or Ubuntu's.
apt_install() {
  command -v apt-get >/dev/null || return
  echo "installing $1 …"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

# python_install NAME REQUIREMENTS: a Python environment .dev/NAME with the packages of this file.
python_install() {
  local place=.dev/$1
  cmp --silent "$2" "$place/requirements.txt" && return
  python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv || {
    echo 'Python 3.10 or newer with its module venv is needed' >&2
    return 1
  }
  echo "installing Python packages into $place …"
  python3 -m venv --clear "$place"
  "$place/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
  cp "$2" "$place/requirements.txt"
}

# Issuers of tokens that others wrote: PyJWT, and from npm jose and Supabase's command line.
install_foreign_issuers() {
  python_install pyjwt tests/foreign/requirements.txt || return
  local lock=package-lock.json
  [ tests/foreign/node_modules/.$lock -nt tests/foreign/$lock ] ||
    npm ci --prefix tests/foreign --no-fund --no-audit --loglevel=error
}

# As many ports that are free at the moment as there are names, each exported under its name.
export_free_ports() {
  local numbers
  numbers=$(node -e '
    const servers = process.argv.slice(1).map(() => require("node:net").createServer().listen(0, "127.0.0.1"));
    setImmediate(() => servers.forEach((it) => { console.log(it.address().port); it.close(); }));
  ' "$@")
  for name in "$@"; do
    export "$name=$(head -n 1 <<<"$numbers")"
    numbers=$(tail -n +2 <<<"$numbers")
  done
}

install_cargo_fuzz() {
  [ -x .dev/bin/cargo-fuzz ] && return
  echo 'installing cargo-fuzz into .dev/bin …'
  cargo install --quiet --root .dev --locked cargo-fuzz@0.13.2
}

# A real pooler in transaction mode, for the database's tests.
install_pgbouncer() {
  command -v pgbouncer >/dev/null || apt_install pgbouncer || {
    echo 'pgbouncer is needed: install it, then try again' >&2
    return 1
  }
}
