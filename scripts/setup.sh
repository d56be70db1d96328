#!/bin/sh
# Installs what is missing to build and to run the development stack: PostgreSQL's server programs
# and a C compiler (for the TLS library). Says nothing and changes nothing where all is there.
# `setup.sh c++`: a C++ compiler, too (for libFuzzer).
set -eu
cxx=${1:-}

has() { command -v "$1" >/dev/null 2>&1; }

lacks_cxx() { [ "$cxx" = c++ ] && ! has c++; }

# The same places that dev/src/postgres/binaries.rs looks into.
has_postgres() {
  for folder in "$(pg_config --bindir 2>/dev/null)" \
    "$(dirname "$(readlink -f "$(command -v postgres)" 2>/dev/null)" 2>/dev/null)" \
    /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
    /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
    if [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ]; then return 0; fi
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif has sudo; then
    sudo "$@"
  else
    echo "Needs root or sudo: $*" >&2
    exit 1
  fi
}

install_apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 \
    install -y --no-install-recommends "$@" >/dev/null
}

debian() {
  echo 'Installing PostgreSQL or a compiler by apt …' >&2
  as_root apt-get -qq update
  if ! has cc; then install_apt gcc libc6-dev; fi
  if lacks_cxx; then install_apt g++; fi
  if ! has_postgres; then
    # The package would start a server of its own; it reads this before it does.
    install_apt postgresql-common
    as_root sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' \
      /etc/postgresql-common/createcluster.conf
    install_apt postgresql
  fi
}

# Not run anywhere yet: written from Homebrew's documentation.
macos() {
  if ! has cc; then
    echo 'A C compiler is missing: xcode-select --install' >&2
    exit 1
  fi
  if ! has_postgres; then
    echo 'Installing PostgreSQL by Homebrew …' >&2
    brew install postgresql@17 # keg-only, and no server is started
  fi
}

if ! has cargo; then
  echo 'Rust is missing: https://rustup.rs' >&2
  exit 1
fi
if has cc && has_postgres && ! lacks_cxx; then exit 0; fi

if has apt-get; then
  debian
elif has brew; then
  macos
else
  echo 'Install a C compiler and PostgreSQL 13 or newer (server and contrib) first.' >&2
  exit 1
fi

if ! has_postgres; then
  echo "PostgreSQL was installed, but postgres and initdb are in none of the usual folders." >&2
  exit 1
fi
