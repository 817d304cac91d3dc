#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Usage: tests/bench/guest.sh rounds|threads ROUND, in a guest that scripts/bench boots
#:
#: The part of the benchmark that runs in the guest. Prints a line of JSON for each
#: result, and says on standard error which step it is at.
#:
#:   rounds    so many rounds, in which the drivers take turns: what changes with time
#:             changes all of them alike
#:   threads   one round of several threads. They break the kernel's own driver in less
#:             than a second: its queue is broken then, or a thread waits for ever, and
#:             neither the program nor the module can be got rid of. So this is done in a
#:             guest of its own each time, and nothing comes after it
#:
#: Environment, set by scripts/bench:
#:   GPIO_BENCH          the program that measures
#:   GPIO_BENCH_RUST, GPIO_BENCH_C, GPIO_BENCH_FLOOR
#:                       the modules: this checkout's driver, the kernel's own, and
#:                       the floor's
#:   GPIO_BENCH_ROUNDS   how many rounds
#:   GPIO_BENCH_MS       for how long each thing is measured
#:   GPIO_BENCH_BINDS    how often a driver is bound in each round
#:   GPIO_BENCH_RATES    how often lines are toggled in a second
#:   GPIO_BENCH_ONLY     only subjects whose names match this

set -euo pipefail

case ${1:-} in
-h | --help)
	sed -n 's/^#: \{0,1\}//p' "$0"
	exit 0
	;;
esac

# How it is to be booted: scripts/bench reads this, and the numbers of the devices are
# their places in it. For several threads there are only the first two.
#guest: standard,lines=64
#guest: rfc,irq-type,lines=64,label=bench
#guest: standard,lines=256
#guest: rfc,irq-type,lines=256,label=bench
#guest: standard,lines=64,no-irq
#guest: standard,lines=256,no-irq
#guest: standard,lines=256,NAMES
STANDARD=0
RFC=1
STANDARD_256=2
RFC_256=3
STANDARD_NO_IRQ=4
STANDARD_NO_IRQ_256=5
STANDARD_NAMES=6

BUS=/sys/bus/virtio
DRIVER=$BUS/drivers/gpio_virtio
FLOOR=$BUS/drivers/gpio_virtio_floor
PATIENCE=120
ALL_MESSAGES=/sys/module/printk/parameters/ignore_loglevel

say() { printf '%s\n' "$*" >&2; }

die() {
	say "bench: $*"
	exit 1
}

for name in GPIO_BENCH GPIO_BENCH_RUST GPIO_BENCH_C GPIO_BENCH_FLOOR GPIO_BENCH_ROUNDS \
	GPIO_BENCH_MS GPIO_BENCH_BINDS GPIO_BENCH_RATES; do
	[ -n "${!name:-}" ] || die "$name is not set; start this by scripts/bench"
done

# The names of the devices on the virtio bus, in the order of their places above. They
# are numbered in the order in which they were given.
find_devices() { # COUNT
	local path type
	DEVICES=()
	for path in $BUS/devices/virtio{?,??}; do
		[ -e "$path/device" ] || continue
		read -r type <"$path/device"
		case $type in
		0x001e | 0x0029) DEVICES+=("${path##*/}") ;;
		esac
	done
	[ ${#DEVICES[@]} = "$1" ] || die "there are ${#DEVICES[@]} GPIO devices, not $1; start this by scripts/bench"
}

# chip K: the name of device K's GPIO chip.
chip() {
	local path
	for path in "$BUS/devices/${DEVICES[$1]}"/gpiochip[0-9]*; do
		[ ! -e "$path/dev" ] || echo "${path##*/}"
	done
}

# start_bench SUBJECT OPTION...: measures something.
start_bench() {
	local subject=$1
	shift
	exec "$GPIO_BENCH" --subject "$subject" --round "$round" --duration-ms "$GPIO_BENCH_MS" "$@"
}

# bench SUBJECT OPTION...: the same, and it has to end. (A driver may hang for ever.)
bench() {
	local pid clock status=0
	start_bench "$@" &
	pid=$!
	sleep "$PATIENCE" &
	clock=$!
	wait -n "$pid" "$clock" || status=$?
	if kill -0 "$pid" 2>/dev/null; then
		die "what was to be measured did not end within $PATIENCE seconds: $*; the end of the kernel's log: $(dmesg | tail -n 5)"
	fi
	kill "$clock" 2>/dev/null || true
	wait "$clock" 2>/dev/null || true
	return "$status"
}

# with_device K DRIVER COMMAND...: runs a command while a driver has the device, and no
# other one. (They share an interrupt.)
with_device() {
	local device=${DEVICES[$1]} driver=$2 rc=0
	shift 2
	echo "$device" >"$driver/bind"
	"$@" || rc=$?
	echo "$device" >"$driver/unbind"
	return "$rc"
}

# What is measured with lines of a chip. Lines that interrupt at once break the kernel's
# own driver, as threads do: gpiolib reads each of them in a thread.
measure_lines() { # SUBJECT K
	local several=1,8
	[ "$1" != c-41 ] || several=1
	bench "$1" --chip "$(chip "$2")" --control "/dev/virtio-ports/gpio-control.$2" \
		--measure get --measure set --measure direction --measure latency \
		--measure threads --threads 1 \
		--measure edges --edge-lines "$several" --rates "$GPIO_BENCH_RATES"
}

# Once is enough for what does not change.
count_allocations() { # SUBJECT K
	bench "$1" --chip "$(chip "$2")" --measure allocations
}

# measure_binds SUBJECT K...
measure_binds() {
	local subject=$1 k
	shift
	for k; do
		bench "$subject" --device "${DEVICES[k]}" --binds "$GPIO_BENCH_BINDS" --measure bind
	done
}

measure_memory() { # SUBJECT K...
	local subject=$1 k
	shift
	for k; do
		bench "$subject" --device "${DEVICES[k]}" --measure memory
	done
}

# wanted SUBJECT: whether it is to be measured.
wanted() { [[ $1 =~ ${GPIO_BENCH_ONLY:-.} ]]; }

# measure_driver NAME MODULE PROTOCOL...: all about a driver.
measure_driver() {
	local name=$1 module=$2 protocol subject k binds fixed
	shift 2
	insmod "$module"
	for protocol; do
		case $protocol in
		41)
			k=$STANDARD
			binds=("$STANDARD" "$STANDARD_256")
			fixed=("$STANDARD_NO_IRQ" "$STANDARD_NO_IRQ_256")
			;;
		30)
			k=$RFC
			binds=("$RFC" "$RFC_256")
			fixed=()
			;;
		esac
		subject=$name-$protocol
		wanted "$subject" || continue
		step "$name, ID $protocol"
		with_device "$k" "$DRIVER" measure_lines "$subject" "$k"
		measure_binds "$subject" "${binds[@]}"
		[ "$protocol" != 41 ] || measure_binds "$subject-names" "$STANDARD_NAMES"
		if [ "$round" = 1 ]; then
			with_device "$k" "$DRIVER" count_allocations "$subject" "$k"
			measure_memory "$subject" "${binds[@]}"
			measure_memory "$subject-no-irq" "${fixed[@]}"
		fi
	done
	rmmod gpio_virtio
}

measure_floor() {
	wanted floor-41 || return 0
	step "the floor"
	insmod "$GPIO_BENCH_FLOOR"
	with_device "$STANDARD" "$FLOOR" bench floor-41 --measure clock --measure floor
	bench floor-41 --driver "$FLOOR" --device "${DEVICES[STANDARD]}" --binds "$GPIO_BENCH_BINDS" --measure bind
	rmmod gpio_virtio_floor
}

measure_sim() {
	wanted sim || return 0
	step "gpio-sim"
	bench sim --chip bench-sim \
		--measure get --measure set --measure direction --measure threads --measure latency
	bench sim --driver /sys/bus/platform/drivers/gpio-sim --device "$sim" \
		--binds "$GPIO_BENCH_BINDS" --measure bind
	# It is left without its driver.
	echo "$sim" >/sys/bus/platform/drivers/gpio-sim/bind
}

# Several threads, with a line each.
measure_threads() { # SUBJECT K
	bench "$1" --chip "$(chip "$2")" --control "/dev/virtio-ports/gpio-control.$2" \
		--measure threads --threads 8
}

# The same where the program may never end: there is a result all the same. What it says
# then is known.
measure_last_threads() { # SUBJECT K
	local result results
	exec {results}< <(measure_threads "$1" "$2" 2>/dev/null </dev/null)
	IFS= read -r -t "$PATIENCE" result <&"$results" || die "nothing came of 8 threads with $1"
	printf '%s\n' "$result"
}

# Chips of gpio-sim's are made once, and cost the others nothing.
make_sim() {
	local folder=/sys/kernel/config/gpio-sim/bench
	modprobe gpio-sim || die "there is no gpio-sim in this kernel; it needs CONFIG_GPIO_SIM=m"
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	mkdir -p $folder/bank/
	echo 64 >$folder/bank/num_lines
	echo bench-sim >$folder/bank/label
	echo 1 >$folder/live
	read -r sim <$folder/dev_name
}

fact() { printf '{"fact":"%s","value":"%s"}\n' "$1" "$2"; }

tell_facts() {
	fact "guest kernel" "$(uname -r)"
	fact "guest processors" "$(nproc)"
	fact "guest clock" "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	fact "rounds" "$GPIO_BENCH_ROUNDS"
	fact "milliseconds for each measure" "$GPIO_BENCH_MS"
}

# How many requests our driver has on their way at most: what it says when it is bound.
tell_slots() { # ID K
	local slots
	slots=$(dmesg | sed -n "s/.* ${DEVICES[$2]}: .* \([0-9]*\) requests at a time.*/\1/p" | head -n 1)
	[ -z "$slots" ] || fact "requests of ours on their way at once, ID $1" "$slots"
}

step() { say "step: round $round of $GPIO_BENCH_ROUNDS, $*"; }

all_rounds() {
	find_devices 7
	make_sim
	tell_facts
	for ((round = 1; round <= GPIO_BENCH_ROUNDS; round++)); do
		measure_driver rust "$GPIO_BENCH_RUST" 41 30
		measure_driver c "$GPIO_BENCH_C" 41
		measure_floor
		measure_sim
		[ "$round" != 1 ] || {
			tell_slots 41 "$STANDARD"
			tell_slots 30 "$RFC"
		}
	done
}

all_threads() { # ROUND
	round=$1
	find_devices 2
	say "step: 8 threads, round $round"
	insmod "$GPIO_BENCH_RUST"
	# The first one warms up what all of them use, and that takes long under emulation.
	with_device "$STANDARD" "$DRIVER" measure_threads rust-41 "$STANDARD" >/dev/null
	with_device "$STANDARD" "$DRIVER" measure_threads rust-41 "$STANDARD"
	with_device "$RFC" "$DRIVER" measure_threads rust-30 "$RFC"
	rmmod gpio_virtio
	echo 0 >/proc/sys/kernel/hung_task_timeout_secs
	insmod "$GPIO_BENCH_C"
	echo "${DEVICES[STANDARD]}" >"$DRIVER/bind"
	measure_last_threads c-41 "$STANDARD"
}

# Drivers are bound by hand; nobody is told of it, and the messages about it do not go to
# the (slow) console, warnings excepted.
echo 0 >$BUS/drivers_autoprobe
udevadm control --stop-exec-queue || true
trap 'echo Y >$ALL_MESSAGES' EXIT
echo N >$ALL_MESSAGES
echo 5 >/proc/sys/kernel/printk
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing

case ${1:-} in
rounds) all_rounds ;;
threads) all_threads "${2:?}" ;;
*) die "the part ${1:-} of the benchmark does not exist; start this by scripts/bench" ;;
esac
