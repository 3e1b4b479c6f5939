//! Events as lines for people: names instead of bytes.
//!
//! ```text
//!    0.012345  vreader 00 00  pkcs11-tool[4711]  VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left); …
//! ```

use std::fmt;

use super::{Client, Event, Run, What};

impl fmt::Display for Event {
    /// One line; with the bytes of commands and answers below in the alternate form (`{:#}`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "{seconds:>5}.{rest:06}  {}  ", self.reader)?;
        if let Some(client) = &self.client {
            write!(f, "{client}  ")?;
        }
        write!(f, "{}", self.what)?;
        if f.alternate()
            && let Some(run) = self.command()
        {
            write!(f, "\n              > {:#}", run.command)?;
            if let Some(answer) = &run.answer {
                write!(f, "\n              < {answer:#}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.process)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PluggedIn => f.write_str("reader plugged in"),
            Self::Unplugged => f.write_str("reader unplugged"),
            Self::Inserted => f.write_str("card inserted"),
            Self::Removed => f.write_str("card removed"),
            Self::PoweredOn { atr } => write!(f, "card powered on: {}", answer_to_reset(atr)),
            Self::PoweredOff => f.write_str("card powered off"),
            Self::Reset { atr } => write!(f, "card reset: {}", answer_to_reset(atr)),
            Self::Connected => f.write_str("connected"),
            Self::Disconnected => f.write_str("disconnected"),
            Self::TransactionBegan => f.write_str("transaction began"),
            Self::TransactionEnded => f.write_str("transaction ended"),
            Self::Command(run) => run.fmt(f),
            Self::Torn => f.write_str("card lost its power in the middle of a write"),
            Self::Broken => f.write_str("the card's code failed: a defect of the card"),
        }
    }
}

fn answer_to_reset(atr: &super::Bytes) -> String {
    if atr.shown().is_empty() { "it does not answer".to_owned() } else { atr.to_string() }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> ", self.meaning())?;
        match self.status() {
            Some(status) => write!(f, "{status}")?,
            None => f.write_str("no answer")?,
        }
        match self.answered() {
            0 => {}
            1 => f.write_str(", 1 byte")?,
            answered => write!(f, ", {answered} bytes")?,
        }
        match &self.rule {
            Some(rule) => write!(f, "; rule: {rule}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Bytes;

    #[test]
    fn lines_have_names_and_no_secrets() {
        let run = Run {
            command: Bytes::new(&[0x00, 0x20, 0x00, 0x80, 0x02, 0x31, 0x32], 5..7),
            answer: Some([0x63, 0xC2][..].into()),
            took_us: 57,
            rule: Some("the reference data is verified (SP 800-73-5 part 2, 3.2.1)".into()),
        };
        let event = |what| Event {
            number: 1,
            at_us: 1_012_345,
            reader: "Desk 00 00".into(),
            client: Some(Client { name: "ssh".into(), process: 9 }),
            what,
        };
        let line = "    1.012345  Desk 00 00  ssh[9]  VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left); rule: \
                    the reference data is verified (SP 800-73-5 part 2, 3.2.1)";
        assert_eq!(event(What::Command(run.clone())).to_string(), line);
        let with_bytes = format!("{line}\n              > 00 20 00 80 02 ** **\n              < 63 C2");
        assert_eq!(format!("{:#}", event(What::Command(run))), with_bytes);
        let data = Run {
            command: [0x00, 0xFD, 0x00, 0x00, 0x00][..].into(),
            answer: Some([0x05, 0x90, 0x00][..].into()),
            took_us: 1,
            rule: None,
        };
        assert_eq!(data.to_string(), "GET VERSION 00 00 -> 9000 (success), 1 byte");
        assert_eq!(Run { answer: None, ..data }.to_string(), "GET VERSION 00 00 -> no answer");
        assert_eq!(What::Reset { atr: Bytes::default() }.to_string(), "card reset: it does not answer");
        assert_eq!(What::PoweredOn { atr: [0x3B][..].into() }.to_string(), "card powered on: 3B");
    }
}
