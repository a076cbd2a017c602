//! Plots as SVG text: survival curves with their bounds, and histograms.

use super::escape;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
const COLOURS: [&str; 4] = ["#2563a8", "#c2671b", "#1f7a5c", "#7b4fa3"];

/// A survival curve.
pub(super) struct Curve {
    pub(super) name: String,
    /// In the order of time.
    pub(super) points: Vec<Point>,
}

/// A step.
pub(super) struct Point {
    pub(super) time: f64,
    pub(super) survival: f64,
    pub(super) bounds: Option<(f64, f64)>,
    /// Subjects at risk just before.
    pub(super) at_risk: u64,
    /// Those who leave now, with the event or without.
    pub(super) leaving: u64,
}

impl Curve {
    /// Subjects at risk at a time, those who leave then included.
    fn at_risk(&self, time: f64) -> u64 {
        let next = self.points.iter().find(|point| point.time >= time);
        let after = self.points.last().map_or(0, |last| last.at_risk.saturating_sub(last.leaving));
        next.map_or(after, |point| point.at_risk)
    }
}

/// A bar.
pub(super) struct Bar {
    pub(super) series: String,
    pub(super) label: String,
    /// None where it is hidden.
    pub(super) count: Option<u64>,
}

/// Where values lie on the page.
struct Frame {
    across: f64,
    up: f64,
    /// Height of what stands below the axis' name.
    below: f64,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + value / self.across * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.up * (HEIGHT - TOP - BOTTOM)
    }

    fn draw(&self, content: &str, x: &str, y: &str) -> String {
        let (bottom, right) = (self.y(0.0), self.x(self.across));
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {}\" width=\"{WIDTH}\" role=\"img\" font-size=\"12\" fill=\"#1c2530\">\
             <path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#475569\"/>{content}\
             <text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"4\" y=\"{}\">{}</text></svg>",
            HEIGHT + self.below,
            HEIGHT - 6.0,
            escape(x),
            TOP - 20.0,
            escape(y)
        )
    }

    /// A mark on the upright axis, with a thin line across.
    fn mark(&self, value: f64, text: &str) -> String {
        let y = self.y(value);
        format!(
            "<path d=\"M{LEFT} {y:.1}H{:.1}\" stroke=\"#e3e8ee\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            self.x(self.across),
            LEFT - 6.0,
            y + 4.0
        )
    }
}

fn colour(place: usize) -> &'static str {
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or("#000")
}

fn legend(series: impl Iterator<Item = String>) -> String {
    let entry = |(place, name): (u32, String)| {
        let x = WIDTH - 480.0 + 160.0 * f64::from(place);
        let colour = colour(place as usize);
        format!(
            "<rect x=\"{x}\" y=\"8\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"18\">{}</text>",
            x + 17.0,
            escape(&name)
        )
    };
    (0..).zip(series).map(entry).collect()
}

/// A round distance between marks, so that about `marks` of them fit.
fn spacing(highest: f64, marks: f64) -> f64 {
    let rough = (highest / marks).max(f64::MIN_POSITIVE);
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(rough)
}

fn marks(highest: f64, step: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.0), move |mark| Some(mark + step))
        .take_while(move |mark| *mark <= highest * (1.0 + 1e-9))
}

/// Survival curves with their bounds shaded.
pub(super) fn survival(curves: &[Curve], x: &str, y: &str) -> String {
    let last = curves.iter().flat_map(|curve| &curve.points).map(|point| point.time).fold(1.0, f64::max);
    let frame = Frame { across: last, up: 1.0, below: 24.0 + 16.0 * places(curves.len()) };
    let mut content: String =
        [0.0, 0.25, 0.5, 0.75, 1.0].iter().map(|value| frame.mark(*value, &value.to_string())).collect();
    for mark in marks(last, spacing(last, 8.0)) {
        content.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{mark}</text>",
            frame.x(mark),
            frame.y(0.0) + 16.0
        ));
    }
    for (place, curve) in curves.iter().enumerate() {
        content.push_str(&band(&frame, curve, last, colour(place)));
    }
    for (place, curve) in curves.iter().enumerate() {
        let steps = steps(&frame, &curve.points, last, 1.0, |point| point.survival);
        content.push_str(&format!(
            "<path d=\"M{steps}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            colour(place)
        ));
    }
    content
        .push_str(&legend(curves.iter().map(|curve| format!("{}, n = {}", curve.name, curve.at_risk(0.0)))));
    content.push_str(&numbers_at_risk(&frame, curves, last));
    frame.draw(&content, x, y)
}

/// How many are left to observe, below the marks of the axis, a line for each curve.
fn numbers_at_risk(frame: &Frame, curves: &[Curve], last: f64) -> String {
    let mut content = format!("<text x=\"4\" y=\"{}\">subjects at risk</text>", HEIGHT + 8.0);
    for (place, curve) in curves.iter().enumerate() {
        let y = HEIGHT + 8.0 + 16.0 * places(place + 1);
        for mark in marks(last, spacing(last, 8.0)) {
            content.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{y}\" text-anchor=\"middle\" fill=\"{}\">{}</text>",
                frame.x(mark),
                colour(place),
                curve.at_risk(mark)
            ));
        }
    }
    content
}

fn places(length: usize) -> f64 {
    u32::try_from(length).map_or(1.0, f64::from)
}

/// A step function from `start` at time 0, as a path's points.
fn steps(frame: &Frame, points: &[Point], last: f64, start: f64, value: impl Fn(&Point) -> f64) -> String {
    let mut path = format!("{:.1} {:.1}", frame.x(0.0), frame.y(start));
    for point in points {
        path.push_str(&format!("H{:.1}V{:.1}", frame.x(point.time), frame.y(value(point))));
    }
    path.push_str(&format!("H{:.1}", frame.x(last)));
    path
}

/// The area between the bounds, as one rectangle for each step that has bounds.
fn band(frame: &Frame, curve: &Curve, last: f64, colour: &str) -> String {
    let ends = curve.points.iter().skip(1).map(|point| point.time).chain([last]);
    let piece = |(point, end): (&Point, f64)| {
        let (low, high) = point.bounds?;
        let (x, y) = (frame.x(point.time), frame.y(high));
        Some(format!("M{x:.1} {y:.1}H{:.1}V{:.1}H{x:.1}Z", frame.x(end), frame.y(low)))
    };
    let path: String = curve.points.iter().zip(ends).filter_map(piece).collect();
    if path.is_empty() {
        String::new()
    } else {
        format!("<path d=\"{path}\" fill=\"{colour}\" fill-opacity=\"0.13\"/>")
    }
}

/// Bars side by side for each label, one a series.
pub(super) fn histogram(bars: &[Bar], x: &str, y: &str) -> String {
    let (mut labels, mut series): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for bar in bars {
        if !labels.contains(&bar.label.as_str()) {
            labels.push(&bar.label);
        }
        if !series.contains(&bar.series.as_str()) {
            series.push(&bar.series);
        }
    }
    let number = |count: u64| u32::try_from(count).map_or(f64::MAX, f64::from);
    let highest = bars.iter().filter_map(|bar| bar.count).map(number).fold(1.0, f64::max);
    let frame = Frame { across: places(labels.len().max(1)), up: highest * 1.08, below: 0.0 };
    let mut content: String =
        marks(highest, spacing(highest, 5.0)).map(|mark| frame.mark(mark, &mark.to_string())).collect();
    let width = 0.8 / places(series.len().max(1));
    for (start, label) in (0u32..).map(f64::from).zip(&labels) {
        let middle = frame.x(start + 0.5);
        content.push_str(&format!(
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            frame.y(0.0) + 16.0,
            escape(label)
        ));
        for (place, name) in series.iter().enumerate() {
            let Some(bar) = bars.iter().find(|bar| bar.label == *label && bar.series == *name) else {
                continue;
            };
            let left = frame.x(start + 0.1 + width * (places(place + 1) - 1.0));
            let across = frame.x(width) - frame.x(0.0) - 2.0;
            content.push_str(&match bar.count {
                Some(count) => {
                    let top = frame.y(number(count));
                    format!(
                        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{across:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{}, {}: {count}</title></rect>\
                         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#475569\">{count}</text>",
                        frame.y(0.0) - top,
                        colour(place),
                        escape(name),
                        escape(label),
                        left + across / 2.0,
                        top - 4.0
                    )
                }
                None => format!(
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#8a94a3\">hidden</text>",
                    left + across / 2.0,
                    frame.y(0.0) - 6.0
                ),
            });
        }
    }
    content.push_str(&legend(series.into_iter().map(str::to_owned)));
    frame.draw(&content, x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_falls_in_steps_and_ends_at_the_last_day() {
        let point = |time, survival| Point { time, survival, bounds: None, at_risk: 2, leaving: 1 };
        let curve = Curve { name: "all".to_owned(), points: vec![point(5.0, 0.5), point(10.0, 0.0)] };
        let svg = survival(&[curve], "days", "without event");
        let frame = Frame { across: 10.0, up: 1.0, below: 0.0 };
        let (middle, end) = (frame.x(5.0), frame.x(10.0));
        let path = format!(
            "M{LEFT:.1} {TOP:.1}H{middle:.1}V{:.1}H{end:.1}V{:.1}H{end:.1}",
            frame.y(0.5),
            frame.y(0.0)
        );
        assert!(svg.contains(&path), "{svg}");
    }

    #[test]
    fn subjects_are_at_risk_until_they_left() {
        let point = |time, at_risk, leaving| Point { time, survival: 1.0, bounds: None, at_risk, leaving };
        let curve = Curve { name: "all".to_owned(), points: vec![point(5.0, 7, 2), point(10.0, 5, 4)] };
        assert_eq!([0.0, 5.0, 5.5, 10.0, 11.0].map(|time| curve.at_risk(time)), [7, 7, 5, 5, 1]);
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(marks(182.0, spacing(182.0, 8.0)).collect::<Vec<_>>(), [0.0, 50.0, 100.0, 150.0]);
        assert_eq!(spacing(34.0, 5.0), 10.0);
    }
}
