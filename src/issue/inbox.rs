//! Sender, subject and preheader as three inboxes show them. Pure.

use super::compose::cut;

/// One inbox and how many characters of subject and preheader it shows on one line,
/// measured at its usual size.
const INBOXES: [(&str, Shown); 3] = [
    ("phone", Shown::Lines { subject: 40, preheader: 85 }),
    ("desktop", Shown::Line(110)),
    ("GMX", Shown::Lines { subject: 60, preheader: 0 }),
];

#[derive(Debug, Clone, Copy)]
enum Shown {
    /// Subject and preheader below each other.
    Lines { subject: usize, preheader: usize },
    /// Behind each other.
    Line(usize),
}

/// What one inbox shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// Which.
    pub inbox: &'static str,
    /// The line, or the lines.
    pub shows: String,
}

/// The lines of each inbox.
pub fn lines(sender: &str, subject: &str, preheader: &str) -> Vec<Line> {
    let line = |(inbox, shown): (&'static str, Shown)| {
        let shows = match shown {
            Shown::Lines { subject: most, preheader: 0 } => {
                format!("{sender} | {}", cut(subject, most))
            }
            Shown::Lines { subject: first, preheader: second } => {
                format!("{sender} | {} | {}", cut(subject, first), cut(preheader, second))
            }
            Shown::Line(most) => {
                format!("{sender} | {}", cut(&format!("{subject} – {preheader}"), most))
            }
        };
        Line { inbox, shows }
    };
    INBOXES.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_subject_is_cut_where_the_inbox_cuts() {
        let lines = lines(
            "Stadt Musterhafen",
            "6. Landesfachtag Quartiersentwicklung | Dokumentation jetzt verfügbar!",
            "Neue Radwege · Haushalt 2027",
        );
        assert_eq!(
            lines[0].shows,
            "Stadt Musterhafen | 6. Landesfachtag Quartiersentwicklung … | Neue Radwege · Haushalt 2027"
        );
        assert!(lines[1].shows.ends_with("verfügbar! – Neue Radwege · Haushalt 2027"));
        assert!(!lines[2].shows.contains("Radwege"));
    }
}
