#!/bin/sh
# The feed's functional test: the program runs and takes an empty configuration.
case "$1" in
neap)
	neap --version | grep -F "$2" || exit 1
	: >/tmp/neap-test.toml
	neap check --quiet --config /tmp/neap-test.toml || exit 1
	rm -f /tmp/neap-test.toml
	;;
esac
