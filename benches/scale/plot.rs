//! `docs/scale.svg`: token requests per second after a common start, with a narrow jitter alone and by this crate, on
//! one logarithmic axis.
//!
//! The picture is part of a page of the documentation, so it has no style sheet (which would act on the page), no blank
//! line (which would end it in Markdown) and no background. Its text has the colour of the page's text.

use std::fmt::Write as _;

use crate::{Watched, grouped, sum};

/// Narrow, so that the text can still be read on a telephone.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 42.0;
const RIGHT: f64 = 470.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 240.0;
const HOURS: usize = 6;
/// The ends of the axis, in multiples of the average. What is less is drawn at the lower end.
const LEAST: f64 = 0.1;
const MOST: f64 = 200.0;

struct Curve<'a> {
    title: &'a str,
    colour: &'a str,
    counts: &'a [u32],
    /// Seconds that one step of the line stands for.
    bin: usize,
}

pub fn svg(watched: &Watched) -> String {
    let mean = watched.rates(1.0).mean;
    let heading = format!(
        "Token requests of {} processes that start within a second, in multiples of the average ({mean:.0} a second)",
        grouped(watched.processes)
    );
    let mut svg = format!(
        "<svg id=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\" \
         style=\"max-width:640px\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\" fill=\"currentColor\">\n\
         <title>{heading}</title>\n"
    );
    for times in [LEAST, 1.0, 10.0, 100.0] {
        let y = y(times);
        let dashes = if times == LEAST { "" } else { " stroke-dasharray=\"2 5\"" };
        let label = if times == LEAST { String::from("≤0.1") } else { times.to_string() };
        line(&mut svg, &format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", LEFT - 6.0, y + 4.0));
        line(&mut svg, &format!("<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"currentColor\" fill=\"none\"{dashes}/>"));
    }
    let curves = [
        Curve { title: "a jitter of 30 s alone", colour: "#d1690e", counts: &watched.narrow, bin: 10 },
        Curve { title: "this crate", colour: "#2f7fe0", counts: &watched.ours, bin: 60 },
    ];
    for (curve, row) in curves.iter().zip([16.0, 36.0]) {
        curve.draw(&mut svg, mean, row);
    }
    for hour in 0..=HOURS {
        let x = LEFT + (RIGHT - LEFT) * hour as f64 / HOURS as f64;
        line(&mut svg, &format!("<text x=\"{x:.0}\" y=\"258\" text-anchor=\"middle\">{hour}</text>"));
    }
    line(&mut svg, &format!("<text x=\"{RIGHT}\" y=\"280\" text-anchor=\"end\">hours since the start</text>"));
    svg + "</svg>\n"
}

impl Curve<'_> {
    /// The curve, and its line of the legend at `row`.
    fn draw(&self, svg: &mut String, mean: f64, row: f64) {
        let Self { title, colour, .. } = self;
        // Without the start itself, which no rule can spread: every process needs a token.
        let steps = (self.bin..HOURS * 3600).step_by(self.bin);
        let heights = steps.clone().map(|from| sum(self.counts, from, from + self.bin) / self.bin as f64 / mean);
        let peak = heights.clone().fold(0.0, f64::max);
        let digits = usize::from(peak < 10.0);
        line(svg, &format!("<path d=\"M{LEFT} {:.0}h14v10h-14Z\" fill=\"{colour}\"/>", row - 10.0));
        line(
            svg,
            &format!(
                "<text x=\"{}\" y=\"{row}\">{title}: at most {peak:.digits$} times the average</text>",
                LEFT + 20.0
            ),
        );
        let (mut path, mut last) = (format!("M{LEFT} {BOTTOM:.1}"), String::new());
        for (from, height) in steps.zip(heights) {
            let y = format!("{:.1}", y(height));
            if y != last {
                let _ = write!(path, "H{:.1}V{y}", LEFT + (RIGHT - LEFT) * from as f64 / (HOURS * 3600) as f64);
                last = y;
            }
        }
        let _ = write!(path, "H{RIGHT}V{BOTTOM:.1}Z");
        line(
            svg,
            &format!(
                "<path d=\"{path}\" fill=\"{colour}\" fill-opacity=\"0.3\" stroke=\"{colour}\" stroke-width=\"1.2\"/>"
            ),
        );
    }
}

fn y(times_the_mean: f64) -> f64 {
    let share = (times_the_mean.max(LEAST) / LEAST).log10() / (MOST / LEAST).log10();
    BOTTOM - (BOTTOM - TOP) * share
}

fn line(svg: &mut String, text: &str) {
    svg.push_str(text);
    svg.push('\n');
}
