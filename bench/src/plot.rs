//! Line plots as SVG: panels one above the other that share the horizontal axis.
//!
//! Absent on purpose: anything interactive, and colours beyond a handful of series.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const PANEL_HEIGHT: f64 = 220.0;
const MARGIN_LEFT: f64 = 80.0;
const MARGIN_RIGHT: f64 = 130.0;
const MARGIN_TOP: f64 = 34.0;
const MARGIN_BOTTOM: f64 = 26.0;
const COLOURS: [&str; 6] = ["#1f6f8b", "#d1495b", "#edae49", "#66a182", "#6c5b7b", "#333333"];

/// Points of one line; those with a y that is not finite are left out.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name, at its right end.
    pub name: String,
    /// (x, y), by rising x.
    pub points: Vec<(f64, f64)>,
}

/// One plot.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the vertical axis shows, with its unit.
    pub label: String,
    /// Logarithmic vertical axis; values of 0 and less are left out.
    pub logarithmic: bool,
    /// The lines.
    pub series: Vec<Series>,
}

/// A whole picture of `panels` under `title`; `x_label` names the shared axis.
#[must_use]
pub fn svg(title: &str, x_label: &str, panels: &[Panel]) -> String {
    let height = panels.len() as f64 * PANEL_HEIGHT + 50.0;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN_LEFT}\" y=\"20\" font-size=\"14\">{}</text>",
        escape(title)
    );
    let xs = || panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points).map(|point| point.0);
    let (x_min, x_max) = range(xs());
    for (at, panel) in panels.iter().enumerate() {
        draw_panel(&mut out, panel, at as f64 * PANEL_HEIGHT + 10.0, (x_min, x_max));
    }
    let (x, y) = (MARGIN_LEFT + (WIDTH - MARGIN_LEFT - MARGIN_RIGHT) / 2.0, height - 12.0);
    let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>\n</svg>", escape(x_label));
    out
}

fn draw_panel(out: &mut String, panel: &Panel, top: f64, (x_min, x_max): (f64, f64)) {
    let (left, right) = (MARGIN_LEFT, WIDTH - MARGIN_RIGHT);
    let (upper, lower) = (top + MARGIN_TOP, top + PANEL_HEIGHT - MARGIN_BOTTOM);
    let scaled = |y: f64| if panel.logarithmic { y.log10() } else { y };
    let ys = panel.series.iter().flat_map(|series| &series.points).map(|point| scaled(point.1));
    let (mut y_min, mut y_max) = range(ys);
    if panel.logarithmic {
        (y_min, y_max) = (y_min.floor(), y_max.ceil().max(y_min.floor() + 1.0));
    } else {
        (y_min, y_max) = (0.0, if y_max > 0.0 { y_max * 1.05 } else { 1.0 });
    }
    let x_at = |x: f64| left + (x - x_min) / (x_max - x_min) * (right - left);
    let y_at = |y: f64| lower - (y - y_min) / (y_max - y_min) * (lower - upper);
    let _ = writeln!(out, "<text x=\"{left}\" y=\"{}\">{}</text>", upper - 8.0, escape(&panel.label));
    for (value, text) in ticks(y_min, y_max, panel.logarithmic) {
        let y = y_at(value);
        let _ = writeln!(
            out,
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    for (value, text) in ticks(x_min, x_max, false) {
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{text}</text>",
            x_at(value),
            lower + 15.0
        );
    }
    let mut label_y_before = f64::MIN;
    for (at, series) in panel.series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points = series.points.iter().map(|&(x, y)| (x_at(x), y_at(scaled(y)))).filter(|point| point.1.is_finite());
        let points: Vec<(f64, f64)> = points.collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"/>",
            line.join(" ")
        );
        for (x, y) in points.iter().filter(|_| points.len() < 40) {
            let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.2\" fill=\"{colour}\"/>");
        }
        let mut label_y = points.last().map_or(upper, |point| point.1) + 4.0;
        if (label_y - label_y_before).abs() < 13.0 {
            label_y = label_y_before - 13.0;
        }
        label_y_before = label_y;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{label_y:.1}\" fill=\"{colour}\">{}</text>",
            right + 6.0,
            escape(&series.name)
        );
    }
}

/// Least and greatest of the finite `values`, never equal.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (min, max) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (min.min(value), max.max(value)));
    if min > max {
        (0.0, 1.0)
    } else if min == max {
        (min, min + 1.0)
    } else {
        (min, max)
    }
}

/// Round values between the ends (as scaled), with their texts.
fn ticks(min: f64, max: f64, logarithmic: bool) -> Vec<(f64, String)> {
    if logarithmic {
        let decades = (min as i32)..=(max as i32);
        return decades.map(|decade| (f64::from(decade), short(10f64.powi(decade)))).collect();
    }
    let rough = (max - min) / 5.0;
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].iter().map(|factor| factor * decade).find(|&step| step >= rough).unwrap_or(rough);
    let first = (min / step).ceil() as i64;
    let last = (max / step).floor() as i64;
    (first..=last).map(|at| at as f64 * step).map(|value| (value, short(value))).collect()
}

fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{}{unit}", (value * 1e3).round() / 1e3)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(points: &[(f64, f64)], logarithmic: bool) -> Panel {
        let series = vec![Series { name: "a<b".into(), points: points.to_vec() }];
        Panel { label: "tx/s".into(), logarithmic, series }
    }

    /// No coordinate may be NaN or infinite, whatever the points.
    #[test]
    fn any_points_make_a_picture() {
        let cases: [&[(f64, f64)]; 4] =
            [&[], &[(1.0, 0.0)], &[(0.0, 5.0), (1.0, 5.0)], &[(0.0, f64::NAN), (1.0, 1e9), (2.0, -1.0)]];
        for points in cases {
            for logarithmic in [false, true] {
                let picture = svg("t & t", "s", &[panel(points, logarithmic), panel(points, logarithmic)]);
                assert!(!picture.contains("NaN"), "{points:?} {picture}");
                assert!(!picture.contains("inf"), "{points:?} {picture}");
                assert!(picture.contains("t &amp; t") && picture.contains("a&lt;b"));
                assert!(picture.trim_end().ends_with("</svg>"));
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let texts = |ticks: Vec<(f64, String)>| ticks.into_iter().map(|tick| tick.1).collect::<Vec<_>>();
        assert_eq!(texts(ticks(0.0, 10.0, false)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts(ticks(0.0, 43_000.0, false)), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(texts(ticks(1.0, 3.0, true)), ["10", "100", "1000"]);
    }
}
