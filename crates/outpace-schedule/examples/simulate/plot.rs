//! A plot by hand: for each rule the median, and the worst case, by the number of workers.

use std::fmt::Write as _;

use crate::{Row, WORKERS, rules};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 170.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const MOST: f64 = 16.0;

pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place"
    )]
    let place = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(place).copied().unwrap_or(1.0)
}

fn x(place: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let (place, last) = (place as f64, (WORKERS.len() - 1) as f64);
    LEFT + (WIDTH - LEFT - RIGHT) * place / last
}

/// Ratios from 1 to [`MOST`], in logarithms.
fn y(ratio: f64) -> f64 {
    let share = ratio.clamp(1.0, MOST).ln() / MOST.ln();
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
}

pub(crate) fn svg(rows: &[Row]) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">Time of the run, in parts of the least possible (line: median; dots: worst)</text>\n"
    );
    for ratio in [1.0, 1.25, 1.5, 2.0, 4.0, 8.0, 16.0] {
        let (at, right) = (y(ratio), WIDTH - RIGHT);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#e0e0e0\"/>"
        );
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ratio}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for (place, workers) in WORKERS.iter().enumerate() {
        let bottom = HEIGHT - BOTTOM + 18.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{bottom}\" text-anchor=\"middle\">{workers}</text>",
            x(place)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">workers</text>",
        x(2),
        HEIGHT - 12.0
    );
    for number in 0..rules::ALL.len() {
        draw_rule(rows, number, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

fn draw_rule(rows: &[Row], number: usize, out: &mut String) {
    let rule = &rules::ALL[number];
    let of = |workers: u32, share| {
        let some = rows.iter().filter(|row| row.workers == workers);
        quantile(some.map(|row| row.ratios[number]).collect(), share)
    };
    let points: Vec<String> = WORKERS
        .iter()
        .enumerate()
        .map(|(place, &workers)| format!("{:.1},{:.1}", x(place), y(of(workers, 0.5))))
        .collect();
    let colour = rule.colour;
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        points.join(" ")
    );
    for (place, &workers) in WORKERS.iter().enumerate() {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
            x(place),
            y(of(workers, 1.0))
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "few")]
    let at = TOP + 20.0 * (number as f64 + 1.0);
    let left = WIDTH - RIGHT + 16.0;
    let _ = writeln!(
        out,
        "<rect x=\"{left}\" y=\"{:.1}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>",
        at - 6.0
    );
    let _ = writeln!(out, "<text x=\"{}\" y=\"{at:.1}\">{}</text>", left + 18.0, rule.name);
}
