#!/bin/sh
# Installs the authorization server and runs the interop tests against it. Needs
# npm and openssl. The tests start the server, and it ends with them.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here"
npm ci
cd ../..
exec cargo test --test interop "$@"
