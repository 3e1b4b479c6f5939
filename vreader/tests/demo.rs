//! `vreader demo`: every story comes to its end, and shows what it is about.

use std::process::{Command, Output};

fn demo(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vreader"));
    command.arg("demo").args(words).env_remove("NO_COLOR").output().expect("vreader starts")
}

/// The demo ends well; what it showed, which has all of these in this order.
#[track_caller]
fn shows(words: &[&str], wanted: &[&str]) -> String {
    let output = demo(words);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = text.as_str();
    for part in wanted {
        let found = rest.find(part);
        rest = &rest[found.unwrap_or_else(|| panic!("'{part}' is missing, or too early, in\n{text}"))..];
    }
    text
}

#[test]
fn issue() {
    let text = shows(
        &["issue"],
        &[
            "$ vreader cms init",
            "$ vreader cms issue",
            "is not in the database",
            "unchanged",
            "AVAILABLE",
            "ASSIGNED",
            "card: writes, ",
            "card: GENERATE ASYMMETRIC KEY PAIR 9A (PIV Authentication), P-256 -> 9000 (success)",
            "card: IMPORT ASYMMETRIC KEY 9D (Key Management), P-256 -> 9000 (success)",
            "on the card: Authentication ",
            "ISSUED",
            "PRODUCED",
            "hand-over",
            "Sam Lee Sample",
        ],
    );
    assert!(!text.contains('\x1B'), "colours are for terminals");
}

#[test]
fn lock() {
    shows(
        &["lock"],
        &[
            "card: VERIFY PIV PIN -> 63C2 (verification failed, 2 tries left)",
            "63C0",
            "6983",
            "Authentication - Dana Quincy Sample",
            "done: unlock",
            "INVALID",
            "ON HOLD",
            "its unlock code is told to nobody",
        ],
    );
}

#[test]
fn unlock() {
    shows(
        &["unlock"],
        &[
            "RESET RETRY COUNTER of PIV PIN -> 9000",
            "expired on 2026-03-02T10:10:00Z",
            "CHANGE REFERENCE DATA PIV PIN -> 9000",
            "does not accept the response",
            "RESET RETRY COUNTER of PIV PIN by the card manager -> 9000",
            "answer a challenge done",
        ],
    );
}

#[test]
fn renew() {
    shows(
        &["renew"],
        &[
            "no update is pending",
            "expires within 30 days",
            "pending for card 1: renewal",
            "done: renew 9A, 9C, 9D, 9E",
            "on the card: Retired Encryption 1",
            "REVOKED (RENEW)",
            "Superseded",
            "agree on a key",
        ],
    );
}

#[test]
fn activate() {
    shows(
        &["activate"],
        &[
            "[Activate PIV Certificate]",
            "use the Signature or DOD EMAIL certificate",
            "cancelled; nothing was changed",
            "Your CAC has been successfully updated.",
            "on the card: Authentication",
            "nothing is to be activated",
        ],
    );
}

#[test]
fn replace() {
    shows(
        &["replace"],
        &[
            "ON HOLD (FORGOTTEN)",
            "CertificateHold",
            "temporary",
            "2026-03-16",
            "TERMINATED",
            "card: DELETE KEY 9A (PIV Authentication) -> 9000 (success)",
            "REVOKED (LOST)",
            "KeyCompromise",
            "card 1 is TERMINATED",
        ],
    );
}

/// What `make demo` runs.
#[test]
fn all() {
    let text =
        shows(&["all"], &["vreader demo session", "vreader demo replace", "every step ended as it says"]);
    let summary = text.lines().last().expect("a summary").split_whitespace().collect::<Vec<_>>();
    assert!(matches!(summary[..], ["all", _, "steps", _, "s"]), "{summary:?}");
}

#[test]
fn colours_are_there_when_they_are_wanted() {
    let text = shows(&["session", "--color", "always"], &["\x1B[1m=== Identify"]);
    let plain = shows(&["session"], &["=== Identify"]);
    assert!(text.contains("\x1B[0m") && !plain.contains('\x1B'));
}

#[test]
fn wrong_usage_is_refused() {
    assert_eq!(demo(&["nonsense"]).status.code(), Some(2));
    let output = demo(&["renew", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--seed is for the session"));
}
