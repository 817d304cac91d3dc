// SPDX-License-Identifier: GPL-2.0

//! The numbers as text: for people at a terminal, and as Markdown.

use std::fmt::Write;

use crate::{
    bounds::{
        memory_per_line,
        Item, //
    },
    digits::digits,
    results::{
        ratio,
        Key,
        Number,
        Results, //
    },
};

/// Whose numbers there are, in the order of the columns, and what they are called.
pub const SUBJECTS: [(&str, &str); 5] = [
    ("rust-41", "ours, ID 41"),
    ("rust-30", "ours, ID 30"),
    ("c-41", "C, ID 41"),
    ("floor-41", "floor"),
    ("sim", "gpio-sim"),
];

/// A table, with a line of headings.
#[derive(Debug, Default)]
pub struct Table {
    /// What is above it.
    pub title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(title: &str, headings: &[&str]) -> Self {
        Self {
            title: title.to_string(),
            rows: vec![headings.iter().map(ToString::to_string).collect()],
        }
    }

    fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// For a terminal.
    pub fn plain(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<_> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        let mut text = format!("{}\n", self.title);
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // The cells' widths are those of numbers: a string cannot be written to in vain.
                let _ = write!(line, "{cell:width$}  ");
            }
            text.push_str("  ");
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n", self.title);
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|{}", " --- |".repeat(row.len()));
            }
        }
        text
    }
}

/// A median, and between what the rounds are unless they are all the same.
fn cell(number: Option<Number>) -> String {
    match number {
        None => "-".to_string(),
        Some(number) => {
            let (median, min, max) = (
                digits(number.median),
                digits(number.min),
                digits(number.max),
            );
            match min == max {
                true => median,
                false => format!("{median} ({min}..{max})"),
            }
        }
    }
}

/// So many lines.
fn of_lines(count: u32) -> String {
    match count {
        1 => "1 line".to_string(),
        _ => format!("{count} lines"),
    }
}

/// A row: what it is, and where its numbers are.
struct Row {
    what: String,
    measure: String,
    lines: u32,
    threads: u32,
    value: &'static str,
    factor: f64,
}

impl Row {
    fn new(what: String, measure: &str, lines: u32, value: &'static str) -> Self {
        Self {
            what,
            measure: measure.to_string(),
            lines,
            threads: 1,
            value,
            factor: 1.0,
        }
    }

    /// In another unit.
    fn scaled(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    fn threads(self, threads: u32) -> Self {
        Self { threads, ..self }
    }

    fn key<'a>(&'a self, subject: &'a str) -> Key<'a> {
        Key {
            subject,
            measure: &self.measure,
            lines: self.lines,
            threads: self.threads,
            value: self.value,
        }
    }
}

/// How the kernel's own driver compares in a table.
#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    /// Its number over ours: how much longer it takes.
    Cost,
    /// Ours over its: how much more we do.
    Rate,
    /// Not at all.
    None,
}

/// A table of rows with a column for each subject.
fn by_subject(results: &Results, title: &str, rows: &[Row], comparison: Comparison) -> Table {
    let mut headings = vec![""];
    headings.extend(SUBJECTS.iter().map(|(_, name)| *name));
    match comparison {
        Comparison::Cost => headings.push("C / ours"),
        Comparison::Rate => headings.push("ours / C"),
        Comparison::None => {}
    }
    let mut table = Table::new(title, &headings);
    for row in rows {
        let numbers = SUBJECTS.map(|(subject, _)| {
            results
                .number(row.key(subject))
                .map(|n| n.scaled(row.factor))
        });
        if numbers.iter().all(Option::is_none) {
            continue;
        }
        let mut cells = vec![row.what.clone()];
        cells.extend(numbers.map(cell));
        let ours = results.rounds(row.key("rust-41"));
        let theirs = results.rounds(row.key("c-41"));
        match comparison {
            Comparison::Cost => cells.push(cell(ratio(&theirs, &ours))),
            Comparison::Rate => cells.push(cell(ratio(&ours, &theirs))),
            Comparison::None => {}
        }
        table.push(cells);
    }
    table
}

/// Nanoseconds as microseconds, and as milliseconds.
const US: f64 = 1e-3;
const MS: f64 = 1e-6;

fn costs(results: &Results) -> Table {
    let mut rows = Vec::new();
    for (value, name) in [("median_ns", "median"), ("p99_ns", "p99")] {
        for measure in ["get", "set"] {
            for lines in results.line_counts("rust-41", measure) {
                let what = format!("{measure}, {}, {name}", of_lines(lines));
                rows.push(Row::new(what, measure, lines, value).scaled(US));
            }
        }
    }
    for measure in ["direction-out", "direction-in"] {
        rows.push(Row::new(measure.to_string(), measure, 1, "median_ns").scaled(US));
    }
    rows.push(
        Row::new(
            "round trip of the floor".to_string(),
            "floor",
            1,
            "median_ns",
        )
        .scaled(US),
    );
    by_subject(
        results,
        "What a call takes, in microseconds: median of the rounds (least..most of a round)",
        &rows,
        Comparison::Cost,
    )
}

fn throughput(results: &Results) -> Table {
    let mut rows = Vec::new();
    for (threads, value, name) in [
        (1, "per_second", "1 thread"),
        (8, "per_second", "8 threads"),
        (8, "count", "8 threads: operations until the end"),
    ] {
        rows.push(Row::new(name.to_string(), "threads", threads, value).threads(threads));
    }
    let mut table = by_subject(
        results,
        "Sets and gets in a second, each thread with a line of its own",
        &rows,
        Comparison::Rate,
    );
    for (value, name) in [
        ("failed", "8 threads: operations failed"),
        ("hung", "8 threads: some wait for ever"),
    ] {
        let row = Row::new(name.to_string(), "threads", 8, value).threads(8);
        let mut cells = vec![row.what.clone()];
        cells.extend(SUBJECTS.map(|(subject, _)| {
            let rounds = results.rounds(row.key(subject));
            match rounds.len() {
                0 => cell(None),
                all => {
                    let so = rounds.values().filter(|value| **value > 0.0).count();
                    format!("in {so} of {all} rounds")
                }
            }
        }));
        cells.push(cell(None));
        table.push(cells);
    }
    table
}

fn latency(results: &Results) -> Table {
    let rows: Vec<_> = [
        ("median_ns", "to user space, median"),
        ("p99_ns", "to user space, p99"),
        ("kernel_median_ns", "to the kernel, median"),
    ]
    .into_iter()
    .map(|(value, name)| Row::new(name.to_string(), "latency", 1, value).scaled(US))
    .collect();
    by_subject(
        results,
        "From a change to its edge, in microseconds",
        &rows,
        Comparison::Cost,
    )
}

fn edges(results: &Results) -> Table {
    let mut rows = Vec::new();
    for lines in [1, 8] {
        for rate in results.rates() {
            let measure = format!("edges-{rate}");
            for (value, name) in [
                ("sent", "sent"),
                ("delivered", "delivered"),
                ("delivered_per_second", "delivered in a second"),
            ] {
                let what = format!("{} at {rate} Hz: {name}", of_lines(lines));
                rows.push(Row::new(what, &measure, lines, value));
            }
        }
    }
    by_subject(
        results,
        "Edges that come to user space",
        &rows,
        Comparison::Rate,
    )
}

fn binds(results: &Results) -> Table {
    let rows: Vec<_> = [0, 64, 256]
        .into_iter()
        .map(|lines| {
            let what = match lines {
                0 => "no chip".to_string(),
                _ => format!("{lines} lines"),
            };
            Row::new(what, "bind", lines, "median_ns").scaled(MS)
        })
        .collect();
    let mut table = by_subject(results, "Binding, in milliseconds", &rows, Comparison::Cost);
    let names = Row::new(String::new(), "bind", 256, "median_ns");
    let number = |subject| results.number(names.key(subject)).map(|n| n.scaled(MS));
    let rounds = |subject| results.rounds(names.key(subject));
    table.push(vec![
        "256 lines with names".to_string(),
        cell(number("rust-41-names")),
        cell(None),
        cell(number("c-41-names")),
        cell(None),
        cell(None),
        cell(ratio(&rounds("c-41-names"), &rounds("rust-41-names"))),
    ]);
    table
}

fn counts(results: &Results) -> Table {
    let mut rows = Vec::new();
    for (measure, lines) in [
        ("get", 1),
        ("get", 64),
        ("set", 1),
        ("set", 64),
        ("direction-out", 1),
    ] {
        for (value, name) in [
            ("requests_per_op", "requests"),
            ("notifications_per_op", "notifications"),
            ("interrupts_per_op", "interrupts sent"),
            ("guest_interrupts_per_op", "interrupts had"),
        ] {
            let what = match measure {
                "direction-out" => format!("out and in again: {name}"),
                _ => format!("{measure}, {}: {name}", of_lines(lines)),
            };
            rows.push(Row::new(what, measure, lines, value));
        }
    }
    for (value, name) in [
        ("notifications_per_op", "notifications"),
        ("interrupts_per_op", "interrupts sent"),
    ] {
        rows.push(Row::new(format!("8 threads: {name}"), "threads", 8, value).threads(8));
    }
    by_subject(
        results,
        "What there is of each for one call",
        &rows,
        Comparison::None,
    )
}

fn allocations(results: &Results) -> Table {
    let mut rows = Vec::new();
    for (measure, name) in [("allocations-get", "get"), ("allocations-set", "set")] {
        for lines in [1, 64] {
            for (value, owner) in [
                ("driver_count_per_op", "by the driver"),
                ("virtio_count_per_op", "by virtio for it"),
                ("gpiolib_count_per_op", "by gpiolib"),
                ("other_count_per_op", "by others"),
            ] {
                let what = format!("{name}, {}: {owner}", of_lines(lines));
                rows.push(Row::new(what, measure, lines, value));
            }
        }
    }
    by_subject(
        results,
        "Pieces of memory allocated for one call",
        &rows,
        Comparison::None,
    )
}

fn memory(results: &Results) -> Table {
    let mut table = Table::new(
        "Memory after binding, in bytes",
        &["", "64 lines", "256 lines", "a line", "all but its lines"],
    );
    for (subject, name) in [
        ("rust-41-no-irq", "ours, ID 41, without interrupts"),
        ("c-41-no-irq", "C, ID 41, without interrupts"),
        ("rust-41", "ours, ID 41, with interrupts"),
        ("c-41", "C, ID 41, with interrupts"),
        ("rust-30", "ours, ID 30, with interrupts"),
    ] {
        let bytes = |lines, value| {
            results.number(Key {
                subject,
                measure: "memory",
                lines,
                threads: 1,
                value,
            })
        };
        let Some(few) = bytes(64, "driver_bytes") else {
            continue;
        };
        let line = memory_per_line(results, subject)
            .into_values()
            .next()
            .unwrap_or_default();
        table.push(vec![
            name.to_string(),
            cell(Some(few)),
            cell(bytes(256, "driver_bytes")),
            digits(line),
            digits(few.median - 64.0 * line),
        ]);
        for (value, owner) in [
            ("virtio_bytes", "virtio for it"),
            ("gpiolib_bytes", "gpiolib for it"),
            ("irq_bytes", "the interrupt core for it"),
            ("other_bytes", "others"),
        ] {
            table.push(vec![
                format!("  {owner}"),
                cell(bytes(64, value)),
                cell(bytes(256, value)),
                String::new(),
                String::new(),
            ]);
        }
    }
    table
}

fn sizes(results: &Results) -> Table {
    let mut table = Table::new(
        "The module, stripped, in bytes",
        &["", "ours", "C", "ours / C"],
    );
    for (value, name) in [
        ("text_bytes", "all code"),
        ("init_text_bytes", "of it, only for loading and unloading"),
        ("file_bytes", "the file"),
    ] {
        let key = |subject| Key {
            subject,
            measure: "module",
            lines: 0,
            threads: 0,
            value,
        };
        table.push(vec![
            name.to_string(),
            cell(results.number(key("rust-41"))),
            cell(results.number(key("c-41"))),
            cell(ratio(
                &results.rounds(key("rust-41")),
                &results.rounds(key("c-41")),
            )),
        ]);
    }
    table
}

fn machine(results: &Results) -> Table {
    let mut table = Table::new("The machine", &["", ""]);
    for fact in results.facts() {
        table.push(vec![fact.fact.clone(), fact.value.clone()]);
    }
    table
}

/// What was to be shown.
pub fn list(items: &[Item]) -> Table {
    let mut table = Table::new("What was to be shown", &["", "", "measured", "wanted", ""]);
    let verdict = |met: bool, measured: bool| {
        match (measured, met) {
            (false, _) => "not measured",
            (true, true) => "met",
            (true, false) => "not met",
        }
        .to_string()
    };
    for item in items {
        table.push(vec![
            item.number.to_string(),
            item.what.to_string(),
            String::new(),
            String::new(),
            verdict(item.is_met(), item.is_measured()),
        ]);
        for part in &item.parts {
            table.push(vec![
                String::new(),
                part.what.clone(),
                cell(part.measured),
                part.bound.to_string(),
                verdict(part.is_met(), part.measured.is_some()),
            ]);
        }
    }
    table
}

/// All tables but the list of what was to be shown.
pub fn all(results: &Results) -> Vec<Table> {
    vec![
        machine(results),
        costs(results),
        throughput(results),
        latency(results),
        edges(results),
        binds(results),
        counts(results),
        allocations(results),
        memory(results),
        sizes(results),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_told_if_there_is_one() {
        let number = |median, min, max| Some(Number { median, min, max });
        assert_eq!(cell(number(2.0, 2.0, 2.0)), "2");
        assert_eq!(cell(number(2.5, 2.0, 30.0)), "2.50 (2..30)");
        assert_eq!(cell(None), "-");
    }

    #[test]
    fn tables_are_written_both_ways() {
        let mut table = Table::new("Title", &["", "a"]);
        table.push(vec!["long".to_string(), "1|2".to_string()]);
        assert_eq!(table.plain(), "Title\n        a\n  long  1|2\n");
        assert_eq!(
            table.markdown(),
            "## Title\n\n|  | a |\n| --- | --- |\n| long | 1\\|2 |\n"
        );
    }

    #[test]
    fn there_are_tables_of_nothing() {
        assert_eq!(all(&Results::default()).len(), 10);
    }
}
