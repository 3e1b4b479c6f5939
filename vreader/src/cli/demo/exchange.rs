//! What passed between a program and the card, in words: a line an exchange, and one line for many that only read, or only write.

use vreader::trace::{Exchange, Status};

/// As many commands as a line for many names.
const NAMED: usize = 3;

/// Commands that are told together when they stand together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Reads,
    Writes,
}

impl Kind {
    /// The kind of an exchange that is nothing special.
    fn of(exchange: &Exchange) -> Option<Self> {
        const READS: [&str; 4] = ["SELECT", "GET DATA", "GET SERIAL", "class 80 READ BUFFER"];
        let is = |names: &[&str]| {
            let meaning = exchange.meaning.strip_prefix("protected ").unwrap_or(&exchange.meaning);
            names.iter().any(|name| meaning.starts_with(name))
        };
        // That something is not there is what a reader wanted to know.
        let absent = [Status::NotFound, Status::InstructionNotSupported];
        match exchange.status? {
            Status::Ok if is(&["PUT DATA"]) => Some(Self::Writes),
            Status::Ok if is(&READS) => Some(Self::Reads),
            status if absent.contains(&status) && is(&READS) => Some(Self::Reads),
            _ => None,
        }
    }
}

/// The lines.
pub(super) fn in_words(exchanges: &[Exchange]) -> Vec<String> {
    let together = |a: &Exchange, b: &Exchange| Kind::of(a).is_some() && Kind::of(a) == Kind::of(b);
    exchanges.chunk_by(together).map(line).collect()
}

fn line(run: &[Exchange]) -> String {
    if let [one] = run {
        let answer = one.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        return format!("{} -> {answer}", one.meaning);
    }
    let verb = match run.first().and_then(Kind::of) {
        Some(Kind::Writes) => "writes",
        _ => "reads",
    };
    let mut names: Vec<&str> = Vec::new();
    for exchange in run {
        if !names.contains(&exchange.meaning.as_str()) {
            names.push(&exchange.meaning);
        }
    }
    let more = if names.len() > NAMED { ", …" } else { "" };
    names.truncate(NAMED);
    format!("{verb}, {} commands: {}{more}", run.len(), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(meaning: &str, status: Status) -> Exchange {
        Exchange {
            number: 1,
            reader: "vreader 00 00".into(),
            client: None,
            meaning: meaning.into(),
            status: Some(status),
            data: vec![],
            rule: None,
        }
    }

    #[test]
    fn reads_and_writes_are_told_together_and_refusals_are_not() {
        let lines = in_words(&[
            exchange("SELECT PIV", Status::Ok),
            exchange("GET DATA a", Status::Ok),
            exchange("GET DATA b", Status::NotFound),
            exchange("GET DATA b", Status::Ok),
            exchange("GET DATA c", Status::SecurityStatusNotSatisfied),
            exchange("VERIFY PIV PIN", Status::TriesLeft(2)),
            exchange("VERIFY PIV PIN", Status::TriesLeft(1)),
            exchange("protected PUT DATA", Status::Ok),
            exchange("PUT DATA a", Status::Ok),
            exchange("PUT DATA b", Status::NotEnoughMemory),
            exchange("GET DATA a", Status::Ok),
        ]);
        assert_eq!(
            lines,
            [
                "reads, 4 commands: SELECT PIV, GET DATA a, GET DATA b",
                "GET DATA c -> 6982 (security status not satisfied)",
                "VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left)",
                "VERIFY PIV PIN -> 63C1 (verification failed, 1 try left)",
                "writes, 2 commands: protected PUT DATA, PUT DATA a",
                "PUT DATA b -> 6A84 (not enough memory)",
                "GET DATA a -> 9000 (success)",
            ]
        );
    }

    #[test]
    fn a_long_run_names_its_first() {
        let many = ["a", "b", "c", "d"].map(|name| exchange(&format!("GET DATA {name}"), Status::Ok));
        assert_eq!(in_words(&many), ["reads, 4 commands: GET DATA a, GET DATA b, GET DATA c, …"]);
    }
}
