// SPDX-License-Identifier: GPL-2.0

//! What a call costs against the number of its lines, as a picture.

use std::path::Path;

use anyhow::{
    anyhow,
    Result, //
};
use plotters::prelude::*;

use crate::{
    results::{
        Key,
        Number,
        Results, //
    },
    tables::SUBJECTS,
};

/// Its size.
const SIZE: (u32, u32) = (1000, 460);

/// The colours of the subjects.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x55, 0x55, 0x55),
    RGBColor(0x00, 0x9e, 0x73),
];

/// Where the axis of lines begins and ends, and what is marked on it.
const LINES: std::ops::Range<f64> = 0.8..90.0;
const COUNTS: [f64; 4] = [1.0, 8.0, 32.0, 64.0];

/// The points of a subject, in microseconds.
fn points(results: &Results, subject: &str, measure: &str) -> Vec<(f64, Number)> {
    results
        .line_counts(subject, measure)
        .into_iter()
        .filter_map(|lines| {
            let number = results.number(Key {
                subject,
                measure,
                lines,
                threads: 1,
                value: "median_ns",
            })?;
            Some((f64::from(lines), number.scaled(1e-3)))
        })
        .collect()
}

/// The smallest and the largest number of a picture, with some room.
fn range(results: &Results) -> (f64, f64) {
    let all: Vec<_> = SUBJECTS
        .iter()
        .flat_map(|(subject, _)| ["get", "set", "floor"].map(|measure| (*subject, measure)))
        .flat_map(|(subject, measure)| points(results, subject, measure))
        .map(|(_, number)| number)
        .collect();
    let least = all.iter().map(|n| n.min).fold(f64::INFINITY, f64::min);
    let most = all.iter().map(|n| n.max).fold(0.0, f64::max);
    match all.is_empty() {
        true => (1.0, 10.0),
        false => ((least / 1.5).max(1e-3), most * 1.5),
    }
}

/// Draws it.
pub fn draw(results: &Results, path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw the picture: {error}");
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let (least, most) = range(results);

    for (area, measure) in root.split_evenly((1, 2)).iter().zip(["get", "set"]) {
        let mut chart = ChartBuilder::on(area)
            .caption(
                format!("{measure}: microseconds for one call"),
                ("sans-serif", 18),
            )
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(
                LINES.log_scale().with_key_points(COUNTS.to_vec()),
                (least..most).log_scale(),
            )
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .x_desc("lines in the call")
            .y_desc("microseconds (median; bars: all rounds)")
            .light_line_style(WHITE)
            .x_label_formatter(&|lines| format!("{lines:.0}"))
            .y_label_formatter(&|us| {
                if *us < 1.0 {
                    format!("{us:.1}")
                } else {
                    format!("{us:.0}")
                }
            })
            .draw()
            .map_err(|error| failed(&error))?;

        for ((subject, name), colour) in SUBJECTS.into_iter().zip(COLOURS) {
            let mut points_of = points(results, subject, measure);
            if points_of.is_empty() {
                // The floor is one number, that of one line: a line across shows how far the
                // others are from it.
                if let Some(&(_, number)) = points(results, subject, "floor").first() {
                    points_of = vec![(1.0, number), (64.0, number)];
                }
            }
            if points_of.is_empty() {
                continue;
            }
            let line: Vec<_> = points_of.iter().map(|(x, y)| (*x, y.median)).collect();
            chart
                .draw_series(LineSeries::new(line.clone(), colour.stroke_width(2)))
                .map_err(|error| failed(&error))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                });
            chart
                .draw_series(points_of.iter().map(|(x, y)| {
                    PathElement::new([(*x, y.min), (*x, y.max)], colour.stroke_width(1))
                }))
                .map_err(|error| failed(&error))?;
            chart
                .draw_series(
                    line.into_iter()
                        .map(|point| Circle::new(point, 3, colour.filled())),
                )
                .map_err(|error| failed(&error))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()
            .map_err(|error| failed(&error))?;
    }
    root.present().map_err(|error| failed(&error))
}
