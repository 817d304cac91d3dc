#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, for `make demo`: libgpiod's tools on the lines of device 0,
# and after each what that device saw from outside, by its control channel.

set -euo pipefail

control=/dev/virtio-ports/gpio-control.0
wrong=0

# Ask the device; the answer is in $answer.
ask() {
	answer=
	printf '%s\n' "$*" >&3
	read -r -t 10 answer <&3 || true
}

device() {
	ask "$@"
	printf '    device, asked "%s": %s\n' "$*" "${answer:-no answer}"
}

run() { # COMMAND...: show it and what it says, which is in $said too
	printf '\nguest$ %s\n' "$*"
	said=$("$@" 2>&1) || {
		printf '    it failed with status %s\n' "$?"
		wrong=1
	}
	[ -z "$said" ] || printf '%s\n' "$said"
}

expect() { # WHAT GOT PATTERN
	# shellcheck disable=SC2053 # a pattern
	if [[ $2 != $3 ]]; then
		printf '    NOT AS EXPECTED: %s should be like: %s\n' "$1" "$3"
		wrong=1
	fi
}

exec 3<>"$control"

run gpiodetect
expect "the list of chips" "$said" 'gpiochip[0-9]* \[panel\] (8 lines)'
device lines
expect "the number of lines" "$answer" 'ok 8'
chip=${said%% *}

run gpioinfo -c "$chip"
expect "line 0" "$said" $'*line   0:\t"LED0" *'
expect "line 1" "$said" $'*line   1:\t"BUTTON0" *input*'
device get 1
expect "line 1" "$answer" 'ok in ? BUTTON0'

# gpioset drives the line for as long as it runs.
for level in 1 0; do
	printf '\nguest$ gpioset -c %s LED0=%s\n' "$chip" "$level"
	gpioset -c "$chip" "LED0=$level" &
	setter=$!
	for _ in {1..50}; do
		ask get 0
		[[ $answer != "ok out $level LED0" ]] || break
		sleep 0.2
	done
	device get 0
	expect "line 0" "$answer" "ok out $level LED0"
	kill "$setter" 2>/dev/null || wrong=1
	wait "$setter" 2>/dev/null || true
done

for level in 1 0; do
	printf '\noutside: the button is %s\n' "$([ "$level" = 1 ] && echo pressed || echo released)"
	device set 1 "$level"
	expect "the answer" "$answer" 'ok*'
	run gpioget --numeric -c "$chip" BUTTON0
	expect "the button" "$said" "$level"
	device get 1
	expect "line 1" "$answer" "ok in $level BUTTON0"
done

printf '\n'
device stats
expect "violations of the protocol" "$answer" '*violations=0*'
exit "$wrong"
