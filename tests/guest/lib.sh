# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the guest tests share. A test file sources this, defines functions whose
# names begin with test_, and ends with `run_tests`: each function runs in a shell
# of its own, and the result is printed as KTAP. A test fails if a command in it
# fails, or by `fail`.

DRIVER=/sys/bus/virtio/drivers/gpio_virtio

# What the devices speak, and whose driver it is: scripts/test says so. A test is the
# same for all, but for what it asks these helpers for.
PROTOCOL=${GPIO_PROTOCOL:-rfc}
DRIVEN_BY=${GPIO_DRIVER:-rust}

# by_protocol RFC STANDARD: prints the one that is for the protocol.
by_protocol() {
	case $PROTOCOL in
	rfc) echo "$1" ;;
	standard) echo "$2" ;;
	esac
}

DEVICE_TYPE=$(by_protocol 0x001e 0x0029)

# What a line is that nobody has, as its device says it; one that was an output once
# stays one in the RFC's protocol.
# shellcheck disable=SC2034 # the tests use it
IDLE=$(by_protocol in none)

# Print why, and end the test.
fail() {
	echo "# $*"
	exit 1
}

# fails COMMAND...: the command must fail. (A plain `!` would not end the test.)
fails() {
	! "$@" || fail "this should have failed: $*"
}

# not_on_uml WHY: leaves the test out where it makes no sense. It does not count as
# passed then.
not_on_uml() {
	[ "${GPIO_GUEST:-}" != uml ] || {
		echo "# SKIP in User-Mode Linux $*"
		exit 4
	}
}

# only_for_protocol NAME WHY: the same for what only one of the protocols has.
only_for_protocol() {
	[ "$PROTOCOL" = "$1" ] || {
		shift
		echo "# SKIP $*"
		exit 4
	}
}

# not_with_c WHY: the same for what the kernel's own driver would never end.
not_with_c() {
	[ "$DRIVEN_BY" != c ] || {
		echo "# SKIP the C driver $*"
		exit 4
	}
}

# expect_eq GOT WANTED WHAT...
expect_eq() {
	local got=$1 wanted=$2
	shift 2
	[ "$got" = "$wanted" ] || fail "$*: got '$got', wanted '$wanted'"
}

# expect_match GOT PATTERN WHAT...
expect_match() {
	local got=$1 pattern=$2
	shift 2
	[[ $got =~ $pattern ]] || fail "$*: got '$got', wanted something like '$pattern'"
}

# ctl K COMMAND: gives a command to device K from outside; prints what comes after
# "ok", fails if the device says "error".
ctl() {
	local k=$1 port reply
	shift
	exec {port}<>"/dev/virtio-ports/gpio-control.$k"
	echo "$*" >&"$port"
	IFS= read -r -t 20 reply <&"$port" || fail "device $k does not answer to '$*'"
	exec {port}>&-
	case $reply in
	ok) ;;
	'ok '*) echo "${reply#ok }" ;;
	*) fail "device $k says '$reply' to '$*'" ;;
	esac
}

# stat K NAME: one of the numbers that device K counts, 0 if it does not have it.
stat() {
	local word
	for word in $(ctl "$1" stats); do
		[ "${word%%=*}" != "$2" ] || {
			echo "${word#*=}"
			return
		}
	done
	echo 0
}

# The names of the devices on the virtio bus, in the order in which they were given.
find_devices() {
	local path type
	DEVICES=()
	for path in /sys/bus/virtio/devices/virtio{?,??}; do
		[ -e "$path/device" ] || continue
		read -r type <"$path/device"
		[ "$type" != "$DEVICE_TYPE" ] || DEVICES+=("${path##*/}")
	done
}
find_devices

# virtio_name K: the name of device K on the virtio bus.
virtio_name() { echo "${DEVICES[$1]}"; }

# chip K: the name of device K's GPIO chip; nothing if it has none.
chip() {
	local path
	for path in "/sys/bus/virtio/devices/${DEVICES[$1]}"/gpiochip[0-9]*; do
		[ ! -e "$path/dev" ] || echo "${path##*/}"
	done
}

# state K NAME: what the driver's state file of device K says.
state() {
	local name value
	while IFS=': ' read -r name value; do
		[ "$name" != "$2" ] || {
			echo "$value"
			return
		}
	done <"/sys/kernel/debug/gpio_virtio.${DEVICES[$1]}/state"
	fail "the state file of device $1 has no $2"
}
state_is() { [ "$(state "$1" "$2")" = "$3" ]; }

# trace_on: records the driver's trace events from now on. Leaves the test out where the
# kernel has none.
TRACING=/sys/kernel/tracing
trace_on() {
	[ -d $TRACING ] || {
		echo "# SKIP this kernel has no trace events"
		exit 4
	}
	mountpoint -q $TRACING || mount -t tracefs tracefs $TRACING
	echo >$TRACING/trace
	echo 1 >$TRACING/events/gpio_virtio/enable
}
trace_off() { echo 0 >$TRACING/events/gpio_virtio/enable; }

# traced EVENT K WORDS N: so many events of a kind say this about device K.
traced() {
	expect_eq "$(grep -cE "$1: $(virtio_name "$2"): $3\$" $TRACING/trace || true)" "$4" \
		"events '$1: $3' of device $2"
}

unbind() { echo "${DEVICES[$1]}" >"$DRIVER/unbind"; }

# Binding fails if probe does, and says so.
bind() { echo "${DEVICES[$1]}" >"$DRIVER/bind"; }

is_bound() { [ -e "$DRIVER/${DEVICES[$1]}" ]; }

# Wait until a command succeeds; 20 seconds at most.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		! "$@" 2>/dev/null || return 0
		sleep 0.1
	done
	fail "this did not happen within 20 seconds: $*"
}

# drives K LINE LEVEL: whether the guest drives the line so.
drives() { [[ "$(ctl "$1" get "$2")" == "out $3"* ]]; }

# Who holds lines as outputs. (In the standard, a line that is given back is none.)
holders=()
start_gpioset() { # ARGUMENT...
	gpioset "$@" </dev/null >/dev/null &
	holders+=($!)
	# However the test ends; where there are helpers, these are among them.
	if declare -p helpers >/dev/null 2>&1; then helpers+=($!); else trap let_go EXIT; fi
}

# hold K LINE=LEVEL...: gpioset holds these lines of device K until let_go.
hold() {
	local k=$1 line
	shift
	start_gpioset -c "$(chip "$k")" "$@"
	for line; do
		wait_for drives "$k" "${line%=*}" "${line#*=}"
	done
}

let_go() {
	local pid
	for pid in "${holders[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	holders=()
}

# held K LINE: whether a consumer has the line.
held() { gpioinfo -c "$(chip "$1")" "$2" | grep -q consumer; }

# in_flight K N: whether device K has N commands that it has not answered.
in_flight() { [ "$(stat "$1" in-flight)" = "$2" ]; }

# Marks the kernel's log, so that `log_since` prints what came after.
log_mark() {
	mark="gpio-virtio test $SRANDOM"
	echo "$mark" >/dev/kmsg
}
log_since() { dmesg | sed "1,/$mark\$/d"; }

# Memory that nobody needs any more is given back: caches of files, what waits for RCU, and
# what KASAN keeps for a while so that a late use of it is seen.
settle_memory() {
	local cache
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	echo 3 >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/*; do
		# A link is another name of a cache.
		[ -L "$cache" ] || [ ! -e "$cache/shrink" ] || echo 1 >"$cache/shrink"
	done
}

# How many objects of each of the kernel's caches are in use: lines of NAME N. Areas of
# vmalloc() are left out: those that were freed stay until there are many of them. So are the
# records of the checker of objects' lives: it keeps those that it does not need at hand.
slab_used() {
	settle_memory
	awk 'NR > 2 && $1 !~ /^(vmap_area|debug_objects_cache)$/ { print $1, $2 }' /proc/slabinfo
}

# grown_by N FILE...: the caches of which each file, from slab_used, counts at least N objects
# more than the one before.
grown_by() {
	local least=$1
	shift
	awk -v least="$least" '
		FNR == 1 { part++ }
		part > 1 && $2 - last[$1] < least { steady[$1] = 1 }
		{ last[$1] = $2; counts[$1] = counts[$1] " " $2 }
		END { for (name in counts) if (!(name in steady)) print name ":" counts[name] }
	' "$@"
}

# keeps_nothing ROUNDS COMMAND...: a command that is run again and again leaves nothing behind
# in the kernel's memory. Each processor has some objects at hand, and others of the kernel
# make some of their own, so what has grown a few times is nobody's yet; a leak grows each
# time, and is looked at until that is beyond doubt.
keeps_nothing() {
	local rounds=$1 i part counts grown
	shift
	counts=$(mktemp -d)
	for part in 1 2 3 4 5 6 7 8; do
		for ((i = 0; i < rounds; i++)); do
			"$@"
		done
		slab_used >"$counts/$part"
		[ $part -ge 3 ] || continue
		grown=$(grown_by $((rounds / 2)) "$counts"/*)
		[ -n "$grown" ] || break
		echo "grown in each of $part times $rounds rounds: ${grown//$'\n'/, }"
	done
	rm -r "$counts"
	[ -z "$grown" ] || fail "objects stay in the kernel's caches after $*"
}

# How long a command takes, in milliseconds, in $elapsed_ms; its status in $status.
# shellcheck disable=SC2034 # they are the caller's
timed() {
	local start=${EPOCHREALTIME/./}
	status=0
	"$@" || status=$?
	elapsed_ms=$(((${EPOCHREALTIME/./} - start) / 1000))
}

# A rule of the protocol that the driver broke is an error in every test.
no_violations() {
	local k n
	for ((k = 0; k < ${GPIO_DEVICES:-0}; k++)); do
		n=$(stat "$k" violations)
		[ "$n" = 0 ] || {
			echo "# the driver broke the protocol on device $k: $(ctl "$k" stats)"
			# The next test is not to blame.
			ctl "$k" reset-stats
			exit 1
		}
	done
}

# What the last test told the devices to do wrong does not concern the next one.
calm_devices() {
	local k
	for ((k = 0; k < ${GPIO_DEVICES:-0}; k++)); do
		ctl "$k" fault none
		ctl "$k" fault release
	done
}

# Runs all test_ functions of the file, or those whose names TEST_ONLY matches.
run_tests() {
	local tests=() name i=0 failed=0 rc output
	mapfile -t tests < <(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' "$0" | grep -E -- "${TEST_ONLY:-.}")
	echo "KTAP version 1"
	echo "1..${#tests[@]}"
	for name in "${tests[@]}"; do
		i=$((i + 1))
		output=$(
			exec 2>&1
			set -eu
			"$name"
			no_violations
			calm_devices
		)
		rc=$?
		if [ "$rc" = 4 ] && [[ $output == "# SKIP "* ]]; then
			echo "ok $i ${name#test_} $output"
			continue
		fi
		[ -z "$output" ] || sed '/^# /!s/^/# /' <<<"$output"
		if [ "$rc" = 0 ]; then
			echo "ok $i ${name#test_}"
		else
			echo "not ok $i ${name#test_}"
			failed=$((failed + 1))
		fi
	done
	[ "$failed" = 0 ]
}
