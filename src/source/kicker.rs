//! The path above a title: from "Sie sind hier: »Aktuelles / Neuigkeiten" to its steps.

use crate::source::{phrases, prose};

/// Steps of a path; more is no path.
const STEPS: usize = 8;
/// Characters of a line that can be a path.
const LINE: usize = 200;

/// The steps of a written path, or `None` when the line is none. A line that does not say
/// "you are here" needs arrows, or two slashes, or the front door as its first step.
pub fn of_line(line: &str) -> Option<Vec<String>> {
    if line.chars().count() > LINE {
        return None;
    }
    if let Some(rest) = phrases::you_are_here(line) {
        return Some(split(rest));
    }
    let steps = split(line);
    let arrows = line.contains(['»', '›', '→']) || line.contains(" > ");
    let slashes = line.matches(" / ").count() >= 2;
    let from_home =
        line.contains(" / ") && steps.first().is_some_and(|step| phrases::is_home(step));
    let short = steps.iter().all(|step| step.chars().count() <= 60 && !prose::ends_sentence(step));
    ((arrows || slashes || from_home) && (2..=STEPS).contains(&steps.len()) && short)
        .then_some(steps)
}

/// Cuts at arrows, and at slashes and bars that stand free.
pub fn split(line: &str) -> Vec<String> {
    let mut steps: Vec<String> = vec![String::new()];
    let chars: Vec<char> = line.chars().collect();
    let blank =
        |at: Option<usize>| at.and_then(|at| chars.get(at)).is_none_or(|c| c.is_whitespace());
    for (at, c) in chars.iter().enumerate() {
        let free = blank(at.checked_sub(1)) && blank(Some(at + 1));
        let cuts = match c {
            '»' | '›' | '→' | '▸' | '❯' | '>' => true,
            '/' | '|' | '·' | '•' | '\\' => free,
            _ => false,
        };
        match steps.last_mut() {
            Some(step) if !cuts => step.push(*c),
            _ => steps.push(String::new()),
        }
    }
    let clean: Vec<String> =
        steps.iter().map(|step| prose::squeeze(step)).filter(|step| !step.is_empty()).collect();
    match clean.as_slice() {
        // "Start/Aktuelles/News" written close.
        [one] if !one.contains(' ') && one.contains('/') => {
            one.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect()
        }
        _ => clean,
    }
}

/// The path without the front door and without the article itself.
pub fn path(steps: Vec<String>, title: &str) -> Vec<String> {
    let title = title.to_lowercase();
    let mut path: Vec<String> = Vec::new();
    for step in steps {
        let step = prose::squeeze(phrases::you_are_here(&step).unwrap_or(&step));
        let step = step
            .trim_matches(|c: char| matches!(c, '/' | '»' | '›' | '>' | '→' | '|' | ' ' | ':'))
            .to_owned();
        if !phrases::is_home(&step) && path.last() != Some(&step) {
            path.push(step);
        }
    }
    if let Some(last) = path.last() {
        let last = last.trim_end_matches(['…', '.', ' ']).to_lowercase();
        let cut_short = last.chars().count() >= 15 && title.starts_with(&last);
        if last == title.trim_end_matches(['.', ' ']) || cut_short {
            path.pop();
        }
    }
    path.truncate(STEPS);
    path
}

#[cfg(test)]
mod tests {
    use super::{of_line, path};

    #[test]
    fn a_path_is_read_in_the_forms_sites_write() {
        let steps = |line| path(of_line(line).unwrap_or_default(), "Neue Radwege");
        assert_eq!(
            steps("Sie sind hier: »Aktuelles / Neuigkeiten / Artikel der Newsletter"),
            ["Aktuelles", "Neuigkeiten", "Artikel der Newsletter"]
        );
        assert_eq!(
            steps("Startseite > Rathaus > Aktuelles > Neue Radwege"),
            ["Rathaus", "Aktuelles"]
        );
        assert_eq!(
            steps("Startseite › Leben & Wohnen › Kinder/Jugend"),
            ["Leben & Wohnen", "Kinder/Jugend"]
        );
        assert_eq!(steps("You are here: Home/News/Cycling"), ["News", "Cycling"]);
    }

    #[test]
    fn a_title_with_a_bar_is_no_path() {
        assert_eq!(
            of_line("6. Landesfachtag Quartiersentwicklung | Dokumentation jetzt verfügbar!"),
            None
        );
        assert_eq!(of_line("Kunst / Kultur im Park"), None);
    }
}
