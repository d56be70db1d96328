//! Reads settings through a look-up function and gathers every problem.

use std::{fmt::Display, fs, time::Duration};

use super::settings::Setting;

/// Where values come from: flags before the environment, in production.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads values one by one; what is wrong is gathered, not returned, so that all is said at once.
pub(super) struct Reader<'a> {
    lookup: Lookup<'a>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader with no problems so far.
    pub(super) fn new(lookup: Lookup<'a>) -> Self {
        Self { lookup, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Everything that was wrong.
    pub(super) fn problems(self) -> Vec<String> {
        self.problems
    }

    /// Notes a problem with a setting and what to do about it.
    pub(super) fn problem(&mut self, setting: &Setting, text: impl Display) {
        self.add(format!("{} {text}", setting.name));
    }

    /// Notes that a setting is taken as it is, and will hardly do what is wanted of it.
    pub(super) fn warn(&mut self, setting: &Setting, text: impl Display) {
        self.warnings.push(format!("{} {text}", setting.name));
    }

    /// Everything that was noted so.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Notes a problem that names its setting itself. Two settings may share one.
    pub(super) fn add(&mut self, problem: String) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The value as it was given; empty is absent, as in many a deployment's templates.
    pub(super) fn given(&mut self, setting: &Setting) -> Option<String> {
        if setting.secret {
            return self.secret(setting.name);
        }
        self.variable(setting.name)
    }

    /// The value, or else the default.
    pub(super) fn text(&mut self, setting: &Setting) -> Option<String> {
        self.given(setting).or_else(|| setting.default.map(str::to_owned))
    }

    /// The value or the default, understood by `parse`; `None` where it is absent or wrong.
    pub(super) fn parse<T, E: Display>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(setting)?;
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(setting, format_args!("is `{text}`, which {why}"));
                None
            }
        }
    }

    /// A duration such as `500ms`, `10s`, `5m`.
    pub(super) fn duration(&mut self, setting: &Setting) -> Option<Duration> {
        self.parse(setting, |text| {
            humantime::parse_duration(text)
                .map_err(|_| "is not a duration: write 500ms, 10s or 5m".to_owned())
        })
    }

    /// A duration above zero.
    pub(super) fn positive_duration(&mut self, setting: &Setting) -> Option<Duration> {
        let duration = self.duration(setting)?;
        if duration.is_zero() {
            self.problem(setting, "must be longer than zero");
        }
        Some(duration)
    }

    /// A size such as `4096`, `256KiB`, `8MiB`, within bounds.
    pub(super) fn bytes(&mut self, setting: &Setting, least: u64, most: u64) -> Option<u64> {
        self.parse(setting, |text| match text.parse::<bytesize::ByteSize>() {
            Ok(size) if (least..=most).contains(&size.as_u64()) => Ok(size.as_u64()),
            Ok(_) => Err(format!(
                "is out of range: from {} to {}",
                bytesize::ByteSize(least).display().iec(),
                bytesize::ByteSize(most).display().iec()
            )),
            Err(_) => Err("is not a size: write 4096, 256KiB or 8MiB".to_owned()),
        })
    }

    /// A whole number of at least one.
    pub(super) fn count(&mut self, setting: &Setting, most: u32) -> Option<u32> {
        self.parse(setting, |text| match text.parse::<u32>() {
            Ok(count) if (1..=most).contains(&count) => Ok(count),
            _ => Err(format!("is not a whole number from 1 to {most}")),
        })
    }

    /// `on` or `off`.
    pub(super) fn switch(&mut self, setting: &Setting) -> Option<bool> {
        self.parse(setting, |text| match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "1" => Ok(true),
            "off" | "false" | "0" => Ok(false),
            _ => Err("is neither on nor off"),
        })
    }

    /// A secret, from the variable or from the file that `…_FILE` names.
    pub(super) fn secret(&mut self, name: &str) -> Option<String> {
        let file_name = format!("{name}_FILE");
        let value = self.variable(name);
        let Some(path) = self.variable(&file_name) else { return value };
        if value.is_some() {
            self.problems.push(format!("{name} and {file_name} are both set: keep one of them"));
            return value;
        }
        match fs::read_to_string(&path) {
            // Editors end files with a newline; no secret does.
            Ok(content) => Some(content.trim_end_matches(['\r', '\n']).to_owned()),
            Err(why) => {
                self.problems.push(format!("{file_name}: cannot read {path}: {why}"));
                None
            }
        }
    }

    /// The variable as it is, if it says anything.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }
}
