//! How findings are printed: for people, for scripts, for programs.

use std::io::Write;

use super::{Check, Finding, Status};

/// How findings look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In a terminal: marks in colour.
    Coloured,
    /// In a terminal that is to have no colour.
    Marked,
    /// In a file or a pipe: words.
    Plain,
    /// One JSON document at the end: a list of objects with `check`, `status` (`ok`, `warning`,
    /// `failed`, `skipped`), `message` and `hint` (text or null).
    Json,
}

/// The longest name of a check, and a colon or a space.
const WIDTH: usize = Check::DatabaseClock.as_str().len() + 1;

/// How a status looks: a mark, a word, a colour (SGR, ECMA-48).
struct Looks {
    mark: &'static str,
    word: &'static str,
    colour: &'static str,
}

const BOLD: &str = "1";
const DIM: &str = "2";

/// Prints findings as they come. A reader who has gone is no error: the exit code still tells.
#[derive(Debug)]
pub struct Report<W> {
    out: W,
    format: Format,
    findings: Vec<Finding>,
}

impl<W: Write> Report<W> {
    /// A report without findings.
    pub fn new(out: W, format: Format) -> Self {
        Self { out, format, findings: Vec::new() }
    }

    /// Adds a finding.
    pub fn tell(&mut self, finding: Finding) {
        if self.format != Format::Json {
            self.print(&line(&finding, self.format));
        }
        self.findings.push(finding);
    }

    /// Ends the report, and tells whether nothing failed.
    pub fn end(mut self) -> bool {
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(&self.findings).unwrap_or_default() + "\n",
            _ => self.summary(),
        };
        self.print(&text);
        self.count(Status::Failed) == 0
    }

    fn print(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    fn summary(&self) -> String {
        let (colour, wrong) = match self.count(Status::Failed) {
            0 => (looks(Status::Ok).colour, "nothing is wrong".to_owned()),
            1 => (looks(Status::Failed).colour, "1 thing is wrong".to_owned()),
            more => (looks(Status::Failed).colour, format!("{more} things are wrong")),
        };
        let warnings = match self.count(Status::Warning) {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            more => format!(", {more} warnings"),
        };
        format!("\n{}{warnings}\n", paint(self.format, colour, &wrong))
    }
}

/// How it is, its name, what is so; below, how to mend it.
fn line(finding: &Finding, format: Format) -> String {
    let Finding { check, status, message, hint } = finding;
    let Looks { mark, word, colour } = looks(*status);
    let (mark, name, arrow) = match format {
        Format::Plain => (format!("{word:<4}"), format!("{}:", check.as_str()), "hint:"),
        _ => (mark.to_owned(), check.as_str().to_owned(), "→"),
    };
    let below = mark.chars().count() + WIDTH + 2;
    let mark = paint(format, colour, &mark);
    let name = paint(format, BOLD, &format!("{name:<WIDTH$}"));
    let message = printable(message);
    match hint {
        None => format!("{mark} {name} {message}\n"),
        Some(hint) => {
            let (arrow, hint) = (paint(format, DIM, arrow), printable(hint));
            format!("{mark} {name} {message}\n{:below$}{arrow} {hint}\n", "")
        }
    }
}

fn looks(status: Status) -> Looks {
    let (mark, word, colour) = match status {
        Status::Ok => ("✓", "ok", "32"),
        Status::Warning => ("!", "warn", "33"),
        Status::Failed => ("✗", "FAIL", "31"),
        Status::Skipped => ("·", "skip", "2"),
    };
    Looks { mark, word, colour }
}

fn paint(format: Format, colour: &str, text: &str) -> String {
    match format {
        Format::Coloured => format!("\x1b[{colour}m{text}\x1b[0m"),
        _ => text.to_owned(),
    }
}

/// Without what a terminal would obey: names come out of a database.
fn printable(text: &str) -> String {
    let shown =
        |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    text.chars().map(shown).collect()
}
