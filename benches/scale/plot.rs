//! `docs/scale.svg`: token requests per second after a common start, with a narrow jitter alone and by this crate.
//!
//! It stands on GitHub as an image and in the documentation as part of the page, so it has no style sheet (which would
//! act on the page), no blank line (which would end it in Markdown), no background, and colours for light and dark.

use std::fmt::Write as _;

use crate::{Watched, grouped, sum};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 740.0;
const HOURS: usize = 6;
const INK: &str = "#6e7781";

struct Panel<'a> {
    top: f64,
    bottom: f64,
    title: &'a str,
    colour: &'a str,
    counts: &'a [u32],
    /// Seconds that one step of the line stands for.
    bin: usize,
    /// In multiples of the mean.
    most: f64,
    ticks: &'a [u32],
}

pub fn svg(watched: &Watched) -> String {
    let mean = watched.rates(1.0).mean;
    let heading = format!(
        "{} processes start within a second, tokens of an hour: {mean:.0} token requests a second",
        grouped(watched.processes)
    );
    let mut svg = format!(
        "<svg id=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 470\" width=\"100%\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"{INK}\">\n<title>{heading}</title>\n"
    );
    line(&mut svg, &format!("<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\" font-size=\"12\">{heading}</text>"));
    let panels = [
        Panel {
            top: 62.0,
            bottom: 212.0,
            title: "a jitter of 30 s alone",
            colour: "#d1690e",
            counts: &watched.narrow,
            bin: 10,
            most: 120.0,
            ticks: &[0, 50, 100],
        },
        Panel {
            top: 272.0,
            bottom: 422.0,
            title: "this crate",
            colour: "#2f7fe0",
            counts: &watched.ours,
            bin: 60,
            most: 2.4,
            ticks: &[0, 1, 2],
        },
    ];
    for panel in &panels {
        panel.draw(&mut svg, mean);
    }
    for hour in 0..=HOURS {
        let x = LEFT + (RIGHT - LEFT) * hour as f64 / HOURS as f64;
        line(&mut svg, &format!("<text x=\"{x:.0}\" y=\"442\" text-anchor=\"middle\">{hour}</text>"));
    }
    line(&mut svg, &format!("<text x=\"{RIGHT}\" y=\"460\" text-anchor=\"end\">hours since the start</text>"));
    svg + "</svg>\n"
}

impl Panel<'_> {
    fn draw(&self, svg: &mut String, mean: f64) {
        let Self { top, bottom, title, colour, .. } = self;
        for &tick in self.ticks {
            let y = self.y(f64::from(tick));
            line(svg, &format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>", LEFT - 10.0, y + 4.5));
            let dashes = if tick == 0 { "" } else { " stroke-dasharray=\"2 5\"" };
            line(svg, &format!("<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{INK}\"{dashes}/>"));
        }
        // Without the start itself, which no rule can spread: everybody needs a token.
        let steps = (self.bin..HOURS * 3600).step_by(self.bin);
        let heights = steps.clone().map(|from| sum(self.counts, from, from + self.bin) / self.bin as f64 / mean);
        let peak = heights.clone().fold(0.0, f64::max);
        let digits = usize::from(peak < 10.0);
        let title = format!("{title}: at most {peak:.digits$} times the mean");
        line(svg, &format!("<text x=\"{LEFT}\" y=\"{}\" fill=\"{colour}\">{title}</text>", top - 14.0));
        let (mut path, mut last) = (format!("M{LEFT} {bottom:.1}"), String::new());
        for (from, height) in steps.zip(heights) {
            let y = format!("{:.1}", self.y(height));
            if y != last {
                let _ = write!(path, "H{:.1}V{y}", LEFT + (RIGHT - LEFT) * from as f64 / (HOURS * 3600) as f64);
                last = y;
            }
        }
        let _ = write!(path, "H{RIGHT}V{bottom:.1}Z");
        line(
            svg,
            &format!(
                "<path d=\"{path}\" fill=\"{colour}\" fill-opacity=\"0.3\" stroke=\"{colour}\" stroke-width=\"1.2\"/>"
            ),
        );
        let y = self.y(1.0);
        line(svg, &format!("<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{INK}\" stroke-width=\"1.5\"/>"));
        line(svg, &format!("<text x=\"{}\" y=\"{:.1}\" font-size=\"11\">mean</text>", LEFT + 6.0, y - 5.0));
    }

    fn y(&self, times_the_mean: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * times_the_mean.min(self.most) / self.most
    }
}

fn line(svg: &mut String, text: &str) {
    svg.push_str(text);
    svg.push('\n');
}
