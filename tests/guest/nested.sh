#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that is not ours: rust-vmm's vhost-device-gpio, the standard protocol. It
#: wants a real chip, so this guest plays the host: gpio-sim makes the chip here, and
#: the driver is in a guest of this guest, User-Mode Linux. "Inside" is there.
#:
#: $GPIO_PEER is the device, $GPIO_INNER_KERNEL and $GPIO_INNER_MODULE what runs
#: inside, $GPIO_INNER_CONSUMER the module of tests/consumer for there, $GPIO_DRIVER
#: whose driver it is (rust or c). TEST_GPIOMON is how often gpiomon is started (5).

# How it is to be booted: scripts/test reads this. With one processor UML is five times
# as fast as with two.
#guest: --module none
#guest: --cpus 1

. "$(dirname -- "$0")/lib.sh"

: "${GPIO_PEER:?}" "${GPIO_INNER_KERNEL:?}" "${GPIO_INNER_MODULE:?}" "${GPIO_INNER_CONSUMER:?}" "${GPIO_DRIVER:=rust}"

# User space is slow inside: an emulated machine, and ptrace in it.
ANSWER_SECONDS=120
# No more of the log than this.
LOG_LIMIT=4M

here=$(cd -- "$(dirname -- "$0")" && pwd -P)
work=/run/nested

# ---- The host's side: a chip of gpio-sim's, and the device that serves it.

make_chip() {
	local sim=/sys/kernel/config/gpio-sim/host
	modprobe gpio-sim
	mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
	mkdir -p $sim/bank0/line0 $sim/bank0/line3 $sim/bank0/line7
	echo 8 >$sim/bank0/num_lines
	echo LED0 >$sim/bank0/line0/name
	echo BUTTON0 >$sim/bank0/line3/name
	echo LAST >$sim/bank0/line7/name
	echo 1 >$sim/live
	host_chip=$(cat $sim/bank0/chip_name)
	lines=/sys/devices/platform/$(cat $sim/dev_name)/$host_chip
}

start_device() {
	RUST_LOG=debug "$GPIO_PEER" --socket-path $work/socket --socket-count 1 \
		--device-list "${host_chip#gpiochip}" >$work/device.log 2>&1 </dev/null &
	device_pid=$!
	soon [ -S $work/socket0 ]
}

# pull LINE LEVEL: what drives the line of the chip from outside.
pull() { echo "pull-$([ "$2" = 1 ] && echo up || echo down)" >"$lines/sim_gpio$1/pull"; }

# level LINE: what the line of the chip has.
level() { cat "$lines/sim_gpio$1/value"; }

level_is() { [ "$(level "$1")" = "$2" ]; }

# free_outside LINE: the device does not have the line.
free_outside() { ! gpioinfo -c "$host_chip" "$1" | grep -q consumer; }

# ---- Inside.

# This root with all changes in memory, and nothing of this guest's own systems.
make_root() {
	local path
	mkdir -p $work/{root,upper,work}
	mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" $work/root
	for path in proc sys dev run tmp; do
		mount -t tmpfs tmpfs $work/root/$path
	done
	cp "$GPIO_INNER_MODULE" $work/root/gpio-virtio.ko
	cp "$GPIO_INNER_CONSUMER" $work/root/gpio-irq-consumer.ko
	cp "$here/nested-init" $work/root/nested-init
}

# Its first serial line takes commands.
boot_inside() {
	mkfifo $work/{log.pipe,in,out}
	(
		stdbuf -o0 head -c $LOG_LIMIT >$work/log
		cat >/dev/null
	) <$work/log.pipe &
	exec {to}<>$work/in {from}<>$work/out
	# UML makes what it gets non-blocking, so it has its own of these.
	TMPDIR=$work timeout -s KILL 1500 "$GPIO_INNER_KERNEL" mem=64M ncpus=1 seccomp=off uml_dir=$work/ umid=inside \
		root=/dev/root rootfstype=hostfs "rootflags=$work/root" rw init=/nested-init \
		ignore_loglevel con=null con0=null,fd:9 ssl0=fd:7,fd:8 \
		"virtio_uml.device=$work/socket0:41" \
		</dev/null 7<>$work/in 8<>$work/out 9>$work/log.pipe >&9 2>&9 &
	local line
	IFS= read -r -t $ANSWER_SECONDS line <&"$from" || fail "the guest in the guest does not boot"
	expect_eq "$line" ready "what the guest in the guest says first"
}

# inside COMMAND: runs it there; prints what it prints, and has its status.
inside() {
	local line mark="done $SRANDOM"
	[ ! -e $work/dead ] || fail "nothing works inside any more"
	echo "($*); status=\$?; echo; echo $mark \$status" >&"$to"
	while true; do
		IFS= read -r -t $ANSWER_SECONDS line <&"$from" || {
			touch $work/dead
			fail "no answer from inside to '$*'"
		}
		[[ $line != "$mark "* ]] || return "${line##* }"
		[ -z "$line" ] || echo "$line"
	done
}

# soon COMMAND...: it succeeds, if not at once. (wait_for counts how often it tried,
# and what is done inside takes long.)
soon() {
	local start=$SECONDS
	until "$@" 2>/dev/null; do
		[ ! -e $work/dead ] || fail "nothing works inside any more"
		[ $((SECONDS - start)) -lt 60 ] || fail "this did not happen within a minute: $*"
		sleep 0.2
	done
}

# get LINE: its value, inside.
get() { inside gpioget --numeric -c gpiochip0 "$1"; }

# monitor LINE OPTION...: gpiomon is started inside, and watches the line.
monitor() {
	local line=$1
	shift
	# The device has the line for up to a second after the last use.
	soon free_outside "$line"
	inside "gpiomon --banner --format '%o %E' -c gpiochip0 $* $line >/run/monitor 2>&1 & echo \$! >/run/monitor-pid"
	soon monitor_has "Monitoring line"
}

monitor_has() { inside cat /run/monitor | grep -q "$1"; }
monitor_lines_are() { [ "$(inside "grep -c ing\$ /run/monitor")" = "$1" ]; }

# monitor_says LINE...: this is all that it has printed, after the first line.
monitor_says() {
	soon monitor_lines_are $#
	sleep 1
	expect_eq "$(inside "sed 1d /run/monitor" | tr '\n' ,)" "$(printf '%s,' "$@")" "what gpiomon printed"
}

stop_monitor() { inside "kill \$(cat /run/monitor-pid); while kill -0 \$(cat /run/monitor-pid) 2>/dev/null; do sleep 0.1; done"; }

interrupt_is_free() { ! inside cat /proc/interrupts | grep -q "$1"; }

# What the driver is told of a line's level: vhost-device-gpio 0.1.0 has active and
# inactive the wrong way round when it is asked for a value (it makes a number of
# libgpiod::Value, whose first is Active). The wire's other parts are not affected.
find_inversion() {
	pull 4 1
	inverted=$((1 - $(get 4)))
	pull 4 0
	expect_eq "$(get 4)" $inverted "line 4, which is low on that host and was told as $((1 - inverted)) when high"
	[ $inverted = 0 ] || echo "# the device has values inverted"
}

told() { echo $(($1 ^ inverted)); }

# Who waits for both edges is told which one it was by the value after it.
edge() { [ "$(told "$1")" = 1 ] && echo rising || echo falling; }

# driven_outside LINE LEVEL: whether the device drives that host's line so.
driven_outside() { [ "$(level "$1")" = "$2" ] && gpioinfo -c "$host_chip" "$1" | grep -q 'output.*consumer="*vhu-gpio'; }

# hold_inside LINE=LEVEL...: gpioset is started inside, and holds them.
hold_inside() { inside "gpioset -c gpiochip0 $* & echo \$! >/run/holder"; }
let_go_inside() { inside "kill \$(cat /run/holder)"; }

# ---- The tests, in the order in which they are here.

test_there_is_a_chip_inside() {
	expect_match "$(inside gpiodetect)" '^gpiochip0 \[.*\] \(8 lines\)$' "gpiodetect"
	expect_eq "$(inside 'cat /sys/bus/virtio/devices/*/device')" 0x0029 "the device's type"
}

test_the_names_are_those_of_the_simulated_lines() {
	local info
	info=$(inside gpioinfo -c gpiochip0 | tr -s ' \t' ' ')
	expect_match "$info" 'line 0: "?LED0"? input' "line 0"
	expect_match "$info" 'line 3: "?BUTTON0"? input' "line 3"
	expect_match "$info" 'line 4: unnamed input' "line 4"
	expect_match "$info" 'line 7: "?LAST"? input' "line 7"
	expect_eq "$(grep -c unnamed <<<"$info")" 5 "lines without a name"
}

test_inputs_come_from_that_host() {
	local value
	for value in 1 0 1; do
		pull 4 "$value"
		expect_eq "$(get 4)" "$(told "$value")" "line 4"
		pull 7 $((1 - value))
		expect_eq "$(inside gpioget --numeric LAST)" "$(told $((1 - value)))" "LAST"
	done
	pull 4 0
}

test_outputs_reach_that_host() {
	local value
	for value in 1 0 1; do
		# What it has when nobody drives it.
		pull 0 $((1 - value))
		hold_inside "LED0=$value"
		soon driven_outside 0 "$value"
		let_go_inside
		soon free_outside 0
	done
}

test_several_lines_at_once() {
	local line
	for line in 0 1 2 5; do
		pull "$line" 1
	done
	hold_inside 0=1 1=0 2=1 5=0
	for line in 0 1 2 5; do
		soon driven_outside "$line" $((line % 4 == 0 || line == 2))
	done
	let_go_inside
	for line in 0 1 2 5; do
		soon free_outside "$line"
		pull "$line" 0
	done
}

test_gpiomon_prints_edges() {
	pull 3 0
	monitor 3 --edges both
	pull 3 1
	monitor_says "3 $(edge 1)"
	pull 3 0
	monitor_says "3 $(edge 1)" "3 $(edge 0)"
	# Another line is none of its business.
	pull 4 1
	pull 3 1
	monitor_says "3 $(edge 1)" "3 $(edge 0)" "3 $(edge 1)"
	pull 4 0
	stop_monitor

	monitor 3 --edges falling
	pull 3 0
	monitor_says "3 falling"
	pull 3 1
	sleep 1
	pull 3 0
	monitor_says "3 falling" "3 falling"
	stop_monitor

	monitor 3 --edges rising
	pull 3 1
	monitor_says "3 rising"
	pull 3 0
	sleep 1
	pull 3 1
	monitor_says "3 rising" "3 rising"
	stop_monitor
	pull 3 0
}

test_gpiomon_starts_and_stops() {
	local i value=0
	for ((i = 0; i < ${TEST_GPIOMON:-5}; i++)); do
		value=$((1 - value))
		monitor 2
		pull 2 "$value"
		monitor_says "2 $(edge "$value")"
		stop_monitor
	done
	pull 2 0
}

# The device needs a second to let go of a line that was watched: one who comes in that
# time may be refused, but the line works for the next one.
test_gpiomon_is_started_again_at_once() {
	local i
	monitor 2
	for ((i = 0; i < 3; i++)); do
		stop_monitor
		inside "gpiomon --banner -c gpiochip0 2 >/run/monitor 2>&1 & echo \$! >/run/monitor-pid"
	done
	inside "kill \$(cat /run/monitor-pid) 2>/dev/null || true"
	monitor 2
	pull 2 1
	monitor_says "2 $(edge 1)"
	stop_monitor
	pull 2 0
}

test_two_lines_are_watched() {
	soon free_outside 5
	inside "gpiomon --banner --format '%o %E' -c gpiochip0 5 6 >/run/monitor 2>&1 & echo \$! >/run/monitor-pid"
	soon monitor_has "Monitoring lines"
	pull 6 1
	monitor_says "6 $(edge 1)"
	pull 5 1
	monitor_says "6 $(edge 1)" "5 $(edge 1)"
	pull 5 0
	monitor_says "6 $(edge 1)" "5 $(edge 1)" "5 $(edge 0)"
	pull 6 0
	stop_monitor
}

test_edges_of_a_consumer_in_the_kernel() {
	local label
	inside insmod /gpio-irq-consumer.ko
	label=$(inside gpiodetect | sed 's/.*\[\(.*\)\].*/\1/')
	soon free_outside 4
	inside "echo $label 4 both threaded >/sys/kernel/debug/gpio-irq-consumer/request"
	pull 4 1
	soon inside "grep -q ' 4 .*thread=1 .*last=$(told 1)' /sys/kernel/debug/gpio-irq-consumer/calls"
	pull 4 0
	soon inside "grep -q ' 4 .*thread=2 .*last=$(told 0)' /sys/kernel/debug/gpio-irq-consumer/calls"
	inside "echo all >/sys/kernel/debug/gpio-irq-consumer/free"
}

# This device knows edges only.
test_levels_are_refused() {
	local label output
	trap 'inside "echo all >/sys/kernel/debug/gpio-irq-consumer/free"' EXIT
	label=$(inside gpiodetect | sed 's/.*\[\(.*\)\].*/\1/')
	soon free_outside 6
	output=$(inside "echo $label 6 high >/sys/kernel/debug/gpio-irq-consumer/request") && fail "it was accepted"
	expect_match "$output" "error|not supported|Invalid" "what the one who asks is told"
	interrupt_is_free "gpio-irq-consumer" || fail "the interrupt is still there"
	# An edge of the same line is fine.
	soon free_outside 6
	inside "echo $label 6 rising >/sys/kernel/debug/gpio-irq-consumer/request"
	pull 6 1
	soon inside "grep -q ' 6 .*hard=1' /sys/kernel/debug/gpio-irq-consumer/calls"
	inside "echo all >/sys/kernel/debug/gpio-irq-consumer/free"
	pull 6 0
}

test_unbind_and_rmmod() {
	local line
	# In User-Mode Linux a reset does not stop the device: it has to be done by then.
	for line in {0..7}; do
		soon free_outside "$line"
	done
	inside "rmmod gpio_irq_consumer"
	inside 'echo virtio0 >/sys/bus/virtio/drivers/gpio_virtio/unbind'
	expect_eq "$(inside gpiodetect)" "" "chips after the unbind"
	inside rmmod gpio_virtio
}

test_nobody_complained() {
	fails grep -aE 'WARNING: |BUG: |Oops|[Kk]ernel panic|INFO: task' "$work/log"
	fails grep -a panicked "$work/device.log"
	kill -0 "$device_pid" || fail "the device is gone"
}

# What went on where nobody looks.
show_logs() {
	local log
	for log in log device.log; do
		echo "the end of $work/$log:" >&2
		tail -n 30 $work/$log | sed 's/^/  | /' >&2
	done
}

(
	set -e
	mkdir -p $work
	make_chip
	start_device
	make_root
	boot_inside
	inside true
	inside insmod /gpio-virtio.ko
	find_inversion
	set +e
	run_tests
)
status=$?
[ $status = 0 ] || show_logs
exit $status
