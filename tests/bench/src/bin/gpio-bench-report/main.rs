// SPDX-License-Identifier: GPL-2.0

//! `gpio-bench-report`: makes a report of what `gpio-bench` has measured.
//!
//! It reads lines of JSON and writes `results.json`, `report.md` and `report.svg`; the tables are
//! printed too. However the numbers are, it succeeds if they are all there.

mod bounds;
mod digits;
mod plot;
mod results;
mod tables;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode, //
};

use anyhow::{
    ensure,
    Context,
    Result, //
};
use bounds::Item;
use clap::Parser;
use gpio_bench::record::Fact;
use results::{
    Number,
    Results, //
};
use serde::Serialize;

/// Makes a report of what gpio-bench has measured.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The lines that gpio-bench wrote
    #[arg(long, value_name = "FILE")]
    results: PathBuf,

    /// Where the report goes
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
}

/// A number and what it is, in results.json.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    subject: &'a str,
    measure: &'a str,
    lines: u32,
    threads: u32,
    value: &'a str,
    #[serde(flatten)]
    number: Number,
    rounds: Vec<f64>,
}

/// An item of the list, in results.json.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    #[serde(flatten)]
    item: &'a Item,
    met: bool,
}

/// results.json.
#[derive(Debug, Serialize)]
struct Document<'a> {
    machine: &'a [Fact],
    shown: Vec<Judged<'a>>,
    results: Vec<Summary<'a>>,
}

fn document<'a>(results: &'a Results, items: &'a [Item]) -> Document<'a> {
    Document {
        machine: results.facts(),
        shown: items
            .iter()
            .map(|item| Judged {
                item,
                met: item.is_met(),
            })
            .collect(),
        results: results
            .keys()
            .into_iter()
            .filter_map(|key| {
                Some(Summary {
                    subject: key.subject,
                    measure: key.measure,
                    lines: key.lines,
                    threads: key.threads,
                    value: key.value,
                    number: results.number(key)?,
                    rounds: results.rounds(key).into_values().collect(),
                })
            })
            .collect(),
    }
}

/// report.md.
fn report(results: &Results, items: &[Item]) -> String {
    let mut text = "<!-- SPDX-License-Identifier: GPL-2.0 -->\n\n\
        # What GPIO lines cost\n\n\
        Made by `make bench`; Documentation/performance.md says what the numbers are.\n\n\
        ![What a call costs against the number of its lines](report.svg)\n\n"
        .to_string();
    text.push_str(&tables::list(items).markdown());
    for table in tables::all(results) {
        text.push('\n');
        text.push_str(&table.markdown());
    }
    text
}

fn run(args: &Args) -> Result<()> {
    let text = fs::read_to_string(&args.results)
        .with_context(|| format!("cannot read {}", args.results.display()))?;
    let results = Results::parse(&text)?;
    let items = bounds::items(&results);

    fs::create_dir_all(&args.output)?;
    let write = |name: &str, text: &str| {
        let path = args.output.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    let document = serde_json::to_string_pretty(&document(&results, &items))?;
    write("results.json", &(document + "\n"))?;
    write("report.md", &report(&results, &items))?;
    plot::draw(&results, &args.output.join("report.svg"))?;

    for table in tables::all(&results) {
        println!("{}", table.plain());
    }
    println!("{}", tables::list(&items).plain());

    let missing: Vec<_> = items
        .iter()
        .flat_map(|item| &item.parts)
        .filter(|part| part.measured.is_none())
        .map(|part| part.what.as_str())
        .collect();
    ensure!(
        missing.is_empty(),
        "this was not measured: {}",
        missing.join("; ")
    );
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpio-bench-report: {error:#}");
            ExitCode::from(1)
        }
    }
}
