//! `report.html`: the trial's results, each beside the file that proves it. One file, with its plots drawn in it.

mod evidence;
mod plot;

use super::{questions::Answer, trial::Registered};
use evidence::{opening, proof, shown_by};
use nightingale_verifier::{
    cohort::{answer::AnswerFile, answer::Group},
    statistics::{Figure, Finding, Kind, Row, Source, Statistics, Word, number::ten_digits},
};
use plot::{Bar, Curve, Point};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#1c2530;max-width:62rem;margin:2rem auto;padding:0 1rem}\
    h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid #d4dae1}\
    h3{font-size:1rem;margin-bottom:.3rem}table{border-collapse:collapse;font-size:.85rem;margin:.4rem 0}\
    th,td{padding:.15rem .7rem .15rem 0;text-align:right;border-bottom:1px solid #eceff3}\
    th:first-child,td:first-child{text-align:left;white-space:nowrap}.wide{overflow-x:auto}code{font-size:.82rem;overflow-wrap:anywhere}\
    figure{margin:1rem 0 .3rem}figcaption{font-size:.85rem;color:#475569;max-width:48rem}.from{font-size:.8rem;color:#475569;margin:.1rem 0 1rem}\
    .from summary{cursor:pointer}.check{display:block}.logged{border-left:3px solid #2563a8;display:block;margin:.3rem 0;padding-left:.6rem}\
    .proof{font-size:.85rem;color:#475569;background:#f5f7f9;padding:.4rem .7rem;border-left:3px solid #1f7a5c}\
    .refused{border-left-color:#b4471f}.hidden{color:#8a94a3;font-style:italic}svg{max-width:100%;height:auto}";

/// The page.
pub(super) fn page(trial: &Registered, answers: &[Answer]) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>An invented trial, proven</title><style>{STYLE}</style></head>\
         <body><h1>An invented trial, proven</h1>{}",
        opening(trial)
    );
    let mut rest = answers;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|answer| answer.story.title == first.story.title).count();
        let (group, others) = rest.split_at(same);
        html.push_str(&section(trial, group, answers));
        rest = others;
    }
    html.push_str("</body></html>\n");
    html
}

/// Questions about one thing, with their proofs and what follows from them.
fn section(trial: &Registered, group: &[Answer], all: &[Answer]) -> String {
    let title = group.first().map_or("", |answer| answer.story.title);
    let mut html = format!("<h2>{}</h2>", escape(title));
    for answer in group {
        html.push_str(&proof(answer));
    }
    // The answer for the chain has the figures of the one beside it.
    let counted = group.iter().filter(|answer| !answer.story.on_chain);
    let own: Vec<(&Answer, Source)> = counted.filter_map(|answer| Some((answer, answer.source()?))).collect();
    // Incidences need the subjects' table for their denominators.
    let events = own.iter().any(|(_, source)| source.schema().table().ends_with("_events"));
    let subjects = all.iter().filter(|answer| events && answer.story.title.contains("subjects by arm"));
    let subjects = subjects.filter_map(|answer| Some((answer, answer.source()?))).take(1);
    let (files, sources): (Vec<&Answer>, Vec<Source>) = own.into_iter().chain(subjects).unzip();
    if sources.is_empty() {
        return html;
    }
    let statistics = Statistics::of(&sources);
    html.push_str(&plots(trial, &files, &statistics));
    let shown = |finding: &&Finding| {
        let of_events = !events || finding.kind == Kind::Incidence;
        of_events && !matches!(finding.kind, Kind::KaplanMeier | Kind::Histogram | Kind::Quantiles)
    };
    for finding in statistics.findings.iter().filter(shown) {
        let from: Vec<&Answer> =
            finding.sources.iter().filter_map(|&source| files.get(source).copied()).collect();
        html.push_str(&table(finding));
        html.push_str(&shown_by(trial, &from));
    }
    html
}

fn plots(trial: &Registered, files: &[&Answer], statistics: &Statistics) -> String {
    let curves: Vec<&Finding> =
        statistics.findings.iter().filter(|finding| finding.kind == Kind::KaplanMeier).collect();
    if !curves.is_empty() {
        let curves: Vec<Curve> = curves.iter().flat_map(|finding| curves_of(finding)).collect();
        let svg = plot::survival(&curves, "days since start of treatment", "share of subjects without event");
        let caption = "Kaplan-Meier estimates with their pointwise 95 % bounds (log-log). Subjects leave at their event or when \
                       observation ends. Exact figures, for the regulator: no cell is hidden.";
        return figure(&svg, caption, &shown_by(trial, files));
    }
    let Some(answer) = files.iter().find(|answer| answer.story.title.contains("age groups")) else {
        return String::new();
    };
    let Some(bars) = bars(answer) else { return String::new() };
    let threshold = answer.verified.as_ref().map_or(0, |verified| verified.threshold);
    let svg = plot::histogram(&bars, "age at start, years", "subjects");
    let caption = format!(
        "Subjects by age and arm; [50,65) is from 50 to below 65 years. A bar is hidden where its count is from 1 to {}. That is \
         decided for this answer alone: totals of other answers may tell what is hidden here, and whoever registers a plan answers for that.",
        threshold.saturating_sub(1)
    );
    figure(&svg, &caption, &shown_by(trial, &[*answer]))
}

fn figure(svg: &str, caption: &str, shown_by: &str) -> String {
    format!("<figure>{svg}<figcaption>{}</figcaption></figure>{shown_by}", escape(caption))
}

/// One curve for each group of a survival finding, in the order of its rows: arms have the same colours in all plots.
fn curves_of(finding: &Finding) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for row in &finding.rows {
        let name = row.key.iter().map(|(_, word)| group_name(word)).collect::<Vec<_>>().join(", ");
        let number = |name: &str| match row.figure(name) {
            Some(Figure::Number(number)) => Some(*number),
            Some(Figure::Word(word)) => word.parse().ok(),
            Some(Figure::Count(count)) => u32::try_from(*count).ok().map(f64::from),
            _ => None,
        };
        let count = |name: &str| match row.figure(name) {
            Some(Figure::Count(count)) => *count,
            _ => 0,
        };
        let (Some(time), Some(survival)) = (number("time"), number("survival")) else { continue };
        let bounds = number("log_log_low").zip(number("log_log_high"));
        let point = Point {
            time,
            survival,
            bounds,
            at_risk: count("at_risk"),
            leaving: count("events") + count("censored"),
        };
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve { name, points: vec![point] }),
        }
    }
    curves
}

/// The bars of a count by arm and age group.
fn bars(answer: &Answer) -> Option<Vec<Bar>> {
    let verified = answer.verified.as_ref()?;
    let file = AnswerFile::new(&verified.schema, &verified.query, &verified.answer);
    let bar = |group: &Group| {
        let word = |name: &str| group.key.get(name).cloned().flatten();
        Some(Bar { series: word("ARM")?, label: word("AGEGR")?, count: group.count })
    };
    Some(file.groups.iter().filter_map(bar).collect())
}

fn group_name(word: &Word) -> String {
    match word {
        Word::One(group) => group.clone(),
        Word::Versus(first, second) => format!("{first} against {second}"),
    }
}

/// A finding; rows with other figures (groups, and comparisons of groups) have a table of their own.
fn table(finding: &Finding) -> String {
    let of = finding.of.as_ref().map(|of| format!(": {}", escape(of))).unwrap_or_default();
    let mut kinds: Vec<(Vec<&str>, Vec<&Row>)> = Vec::new();
    for row in &finding.rows {
        let names: Vec<&str> = row.figures.iter().map(|(name, _)| *name).collect();
        match kinds.iter_mut().find(|(other, _)| *other == names) {
            Some((_, rows)) => rows.push(row),
            None => kinds.push((names, vec![row])),
        }
    }
    let tables: String = kinds.iter().map(|(names, rows)| rows_table(names, rows)).collect();
    let notes: String = finding.notes.iter().map(|note| format!("<p>{}</p>", escape(note))).collect();
    format!("<h3>{}{of}</h3>{tables}{notes}", escape(finding.kind.title()))
}

fn rows_table(names: &[&str], rows: &[&Row]) -> String {
    let head: String =
        names.iter().map(|name| format!("<th>{}</th>", escape(&name.replace('_', " ")))).collect();
    let row = |row: &&Row| {
        let key = row.key.iter().map(|(_, word)| group_name(word)).collect::<Vec<_>>().join(", ");
        let key = if key.is_empty() { "all".to_owned() } else { key };
        let cells: String = names
            .iter()
            .map(|name| format!("<td>{}</td>", row.figure(name).map(cell).unwrap_or_default()))
            .collect();
        format!("<tr><td>{}</td>{cells}</tr>", escape(&key))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<div class=\"wide\"><table><tr><th></th>{head}</tr>{rows}</table></div>")
}

fn cell(figure: &Figure) -> String {
    match figure {
        Figure::Count(count) => count.to_string(),
        // Four digits to read; all ten to whoever points at them.
        Figure::Number(number) => {
            let short = format!("{number:.3e}").parse().unwrap_or(*number);
            format!("<span title=\"{}\">{}</span>", ten_digits(*number), ten_digits(short))
        }
        Figure::Word(word) => escape(word),
        Figure::Hidden(_) => "<span class=\"hidden\">hidden</span>".to_owned(),
        Figure::Withheld(why) => format!("<span class=\"hidden\" title=\"{}\">withheld</span>", escape(why)),
        Figure::Undefined(why) => format!("<span class=\"hidden\" title=\"{}\">none</span>", escape(why)),
    }
}

/// Text in HTML and SVG.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn no_text_becomes_markup() {
        assert_eq!(escape("<40 & \"x\""), "&lt;40 &amp; &quot;x&quot;");
    }
}
