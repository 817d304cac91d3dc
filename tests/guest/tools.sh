#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Other users of a chip than libgpiod's tools: the kernel's tools/gpio, in the folder
#: $GPIO_TOOLS, and libgpiod's Python binding. What they do has to be what the device saw.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel,name0=LED0,name1=BUTTON0,name7=LAST,irq-type

. "$(dirname -- "$0")/lib.sh"

: "${GPIO_TOOLS:?}"

here=$(dirname -- "$0")

# Has the device tell what the guest does to outputs.
start_watching() {
	local reply
	exec {watching}<>/dev/virtio-ports/gpio-control.0
	echo watch >&"$watching"
	IFS= read -r -t 20 reply <&"$watching" || fail "the device does not answer"
	expect_eq "$reply" ok "watch"
}

# What it has told, up to now, is in $changes: "LINE LEVEL" for each.
stop_watching() {
	local reply
	changes=()
	echo sync end >&"$watching"
	while IFS= read -r -t 20 reply <&"$watching"; do
		case $reply in
		'change '*) changes+=("${reply#change }") ;;
		*) break ;;
		esac
	done
	expect_match "$reply" "end" "the device's last words"
	echo unwatch >&"$watching"
	IFS= read -r -t 20 reply <&"$watching" || fail "the device does not answer"
	exec {watching}>&-
}

# levels LINE: to which levels it was set, one after the other.
levels() { printf '%s\n' "${changes[@]}" | sed -n "s/^$1 //p" | paste -sd ' '; }

# start_tool LINE TOOL ARGUMENT...: the tool runs until stop_tool or its own end; LINE is
# what it says first.
start_tool() {
	local first=$1 line=
	shift
	exec {tool}< <(exec stdbuf -oL "$@" 2>&1)
	tool_pid=$!
	trap stop_tool EXIT
	[ -n "$first" ] || return 0
	read -r -t 60 line <&"$tool" || true
	expect_eq "$line" "$first" "what $2 said first"
}

# tool_says PATTERN: its next line is like this.
tool_says() {
	local line=
	read -r -t 20 line <&"$tool" || true
	expect_match "$line" "$1" "what the tool said"
}

stop_tool() {
	kill "$tool_pid" 2>/dev/null || true
	wait "$tool_pid" 2>/dev/null || true
	exec {tool}<&-
	trap - EXIT
}

test_lsgpio_lists_the_lines() {
	local said
	said=$("$GPIO_TOOLS/lsgpio" -n "$(chip 0)")
	expect_eq "$(head -n 1 <<<"$said")" \
		"GPIO chip: $(chip 0), \"$(by_protocol panel "$(virtio_name 0)")\", 8 GPIO lines" "first line"
	expect_eq "$(grep -c 'line ' <<<"$said")" 8 "number of lines"
	expect_match "$said" 'line  0: "LED0" unused \[input\]' "line 0"
	expect_match "$said" 'line  1: "BUTTON0" unused \[input\]' "line 1"
	expect_match "$said" 'line  2: unnamed unused \[input\]' "line 2"
	expect_match "$said" 'line  7: "LAST" unused \[input\]' "line 7"
	# All chips, and there is one.
	expect_eq "$("$GPIO_TOOLS/lsgpio")" "$said" "what lsgpio says of all chips"
}

test_lsgpio_shows_who_has_a_line() {
	hold 0 3=1
	expect_match "$("$GPIO_TOOLS/lsgpio" -n "$(chip 0)")" 'line  3: unnamed "gpioset" \[used, output\]' "line 3"
	let_go
	expect_match "$("$GPIO_TOOLS/lsgpio" -n "$(chip 0)")" 'line  3: unnamed unused' "line 3 afterwards"
}

test_gpio_hammer_moves_lines() {
	local said line
	start_watching
	said=$("$GPIO_TOOLS/gpio-hammer" -n "$(chip 0)" -o 2 -o 4 -o 5 -c 3 | tr '\r' '\n')
	stop_watching
	expect_match "$said" "^Hammer lines \[2, 4, 5\] on $(chip 0), initial states: \[0, 0, 0\]" "gpio-hammer"
	expect_eq "$(grep -c '\[2: 1, 4: 1, 5: 1\]' <<<"$said")" 2 "how often it read them as high"
	expect_eq "$(grep -c '\[2: 0, 4: 0, 5: 0\]' <<<"$said")" 1 "how often it read them as low"
	for line in 2 4 5; do
		# What it began with may have been there before.
		expect_match "$(levels $line)" '^(0 )?1 0 1$' "levels of line $line, as the device saw them"
	done
	expect_eq "$(printf '%s\n' "${changes[@]}" | grep -vcE '^[245] ' || true)" 0 "changes of other lines"
}

test_gpio_event_mon_prints_edges() {
	ctl 0 set 1 0
	start_tool "Monitoring line 1 on $(chip 0)" "$GPIO_TOOLS/gpio-event-mon" -n "$(chip 0)" -o 1 -r -f -c 4
	tool_says '^Initial line value: 0$'
	expect_eq "$(ctl 0 irq 1)" both "what the device is told to report"
	ctl 0 set 1 1
	tool_says 'on line 1 \(1\|1\) rising edge$'
	ctl 0 set 1 0
	tool_says 'on line 1 \(2\|2\) falling edge$'
	# Another line is none of its business.
	ctl 0 set 2 1
	ctl 0 set 1 1
	tool_says 'on line 1 \(3\|3\) rising edge$'
	ctl 0 set 1 0
	tool_says 'on line 1 \(4\|4\) falling edge$'
	# (Its status is the size of an event.)
	wait "$tool_pid" || true
	stop_tool
	expect_eq "$(ctl 0 irq 1)" none "what the device is told to report afterwards"
	ctl 0 set 2 0
}

test_gpio_event_mon_prints_one_kind_of_edge() {
	local flag edge level
	for flag in r f; do
		edge=$([ $flag = r ] && echo rising || echo falling)
		level=$([ $flag = r ] && echo 1 || echo 0)
		ctl 0 set 1 $((1 - level))
		start_tool "Monitoring line 1 on $(chip 0)" "$GPIO_TOOLS/gpio-event-mon" -n "$(chip 0)" -o 1 -$flag -c 2
		tool_says "^Initial line value: $((1 - level))\$"
		expect_eq "$(ctl 0 irq 1)" "$edge" "what the device is told to report"
		ctl 0 set 1 "$level"
		tool_says "\\(1\\|1\\) $edge edge\$"
		ctl 0 set 1 $((1 - level))
		ctl 0 set 1 "$level"
		tool_says "\\(2\\|2\\) $edge edge\$"
		# (Its status is the size of an event.)
	wait "$tool_pid" || true
		stop_tool
	done
	ctl 0 set 1 0
}

test_gpio_event_mon_of_several_lines() {
	ctl 0 set 6 1
	start_tool "Monitoring lines 3, 6 and 7 on $(chip 0)" "$GPIO_TOOLS/gpio-event-mon" -n "$(chip 0)" -o 3 -o 6 -o 7 -r -f
	tool_says '^Initial line values: 0, 1 and 0$'
	ctl 0 set 7 1
	tool_says 'on line 7 \(1\|1\) rising edge$'
	ctl 0 set 6 0
	tool_says 'on line 6 \(1\|2\) falling edge$'
	ctl 0 set 3 1
	tool_says 'on line 3 \(1\|3\) rising edge$'
	ctl 0 set 7 0
	tool_says 'on line 7 \(2\|4\) falling edge$'
	ctl 0 set 3 0
	tool_says 'on line 3 \(2\|5\) falling edge$'
	stop_tool
}

test_gpio_watch_sees_who_comes_and_goes() {
	local pid line=
	start_tool "" "$GPIO_TOOLS/gpio-watch" "/dev/$(chip 0)" 4 5
	# It says nothing when it is ready: somebody comes and goes until it was seen.
	pid=$tool_pid
	(
		while kill -0 "$pid" 2>/dev/null; do
			gpioget -c "$(chip 0)" 4 >/dev/null || true
			sleep 0.5
		done
	) &
	read -r -t 20 line <&"$tool" || true
	# It may have been ready when somebody had come already, and just went.
	if [[ $line =~ ^line\ 4:\ released\ at\ [0-9]+$ ]]; then
		read -r -t 20 line <&"$tool" || true
	fi
	expect_match "$line" '^line 4: requested at [0-9]+$' "what the tool said"
	tool_says '^line 4: released at [0-9]+$'
	stop_tool
	wait
}

test_the_python_binding() {
	"$here/binding.py" "$(chip 0)"
}

run_tests
